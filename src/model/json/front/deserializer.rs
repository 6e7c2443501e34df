//! The front as serde asks it.

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Front, GiveUp, Number, Read};
use crate::model::json::AS_IT_IS;

/// The name by which a `RawValue` asks for the text of a value. Should it change, raw values are left to serde_json.
const RAW: &str = "$serde_json::private::RawValue";

impl<'de> Front<'de> {
    /// Reads a string into a visitor.
    fn visit_string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, GiveUp> {
        match self.string()? {
            Read::Plain(text) => visitor.visit_borrowed_str(text),
            Read::Unescaped(start) => match self.texts {
                Some(texts) => visitor.visit_borrowed_str(texts.keep(&self.text[start..self.at], self.unescaped()?)),
                None => visitor.visit_string(self.unescaped()?.to_owned()),
            },
        }
    }

    /// Reads what is in brackets: `all` what the visitor makes of everything up to the closing one.
    fn within<T>(
        &mut self,
        (open, close): (u8, u8),
        all: impl FnOnce(Members<'_, 'de>) -> Result<T, GiveUp>,
    ) -> Result<T, GiveUp> {
        self.expect(open)?;
        self.deeper()?;
        let value = all(Members { front: self, close, first: true })?;
        self.depth -= 1;
        self.expect(close)?;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Front<'de> {
    type Error = GiveUp;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        match self.peek()? {
            b'"' => self.visit_string(visitor),
            b'{' => self.within((b'{', b'}'), |members| visitor.visit_map(members)),
            b'[' => self.within((b'[', b']'), |members| visitor.visit_seq(members)),
            b'n' => self.literal("null").and_then(|()| visitor.visit_unit()),
            b't' => self.literal("true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.literal("false").and_then(|()| visitor.visit_bool(false)),
            b'-' | b'0'..=b'9' => match self.number()? {
                Number::Unsigned(n) => visitor.visit_u64(n),
                Number::Signed(n) => visitor.visit_i64(n),
                Number::Float(n) => visitor.visit_f64(n),
            },
            _ => Err(GiveUp),
        }
    }

    forward_to_deserialize_any! { bool i8 i16 i32 i64 u8 u16 u32 u64 f64 unit unit_struct }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        if self.peek()? == b'n' {
            self.literal("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        self.visit_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        self.visit_string(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, GiveUp> {
        match name {
            AS_IT_IS => match self.peek()? {
                b'"' => self.visit_string(visitor),
                _ => visitor.visit_borrowed_bytes(self.raw()?.as_bytes()),
            },
            RAW => {
                let raw = (BorrowedStrDeserializer::new(RAW), BorrowedStrDeserializer::new(self.raw()?));
                visitor.visit_map(MapDeserializer::new(std::iter::once(raw)))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        self.within((b'[', b']'), |members| visitor.visit_seq(members))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, GiveUp> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, GiveUp> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        self.within((b'{', b'}'), |members| visitor.visit_map(members))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, GiveUp> {
        // serde_json also takes an array for a structure: that is left to it.
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, GiveUp> {
        if self.peek()? == b'{' {
            return self.within((b'{', b'}'), |members| visitor.visit_enum(Tagged(members.front)));
        }
        match self.string()? {
            Read::Plain(name) => visitor.visit_enum(Bare(name)),
            Read::Unescaped(_) => Err(GiveUp),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        match self.string()? {
            Read::Plain(name) => visitor.visit_borrowed_str(name),
            Read::Unescaped(_) => visitor.visit_str(self.unescaped()?),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        self.skip()?;
        visitor.visit_unit()
    }

    // serde_json has rules of its own for these, and no recording needs them to be fast.
    fn deserialize_i128<V: Visitor<'de>>(self, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }

    fn deserialize_char<V: Visitor<'de>>(self, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }
}

/// What is in brackets, one by one.
struct Members<'f, 'de> {
    front: &'f mut Front<'de>,
    close: u8,
    first: bool,
}

impl Members<'_, '_> {
    /// Whether another one comes, before which the front then stands.
    fn more(&mut self) -> Result<bool, GiveUp> {
        let next = self.front.peek()?;
        if next == self.close {
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) {
            self.front.expect(b',')?;
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = GiveUp;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, GiveUp> {
        if self.more()? { seed.deserialize(&mut *self.front).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = GiveUp;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, GiveUp> {
        if self.more()? { seed.deserialize(Key(self.front)).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, GiveUp> {
        self.front.expect(b':')?;
        seed.deserialize(&mut *self.front)
    }
}

/// A key: a string, whatever is asked for.
struct Key<'f, 'de>(&'f mut Front<'de>);

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = GiveUp;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, GiveUp> {
        self.0.deserialize_identifier(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The name of a variant without content.
struct Bare<'de>(&'de str);

impl<'de> EnumAccess<'de> for Bare<'de> {
    type Error = GiveUp;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), GiveUp> {
        Ok((seed.deserialize(StrDeserializer::new(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Bare<'de> {
    type Error = GiveUp;

    fn unit_variant(self) -> Result<(), GiveUp> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, GiveUp> {
        Err(GiveUp)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, GiveUp> {
        Err(GiveUp)
    }
}

/// A variant with content: the only member of an object.
struct Tagged<'f, 'de>(&'f mut Front<'de>);

impl<'de> EnumAccess<'de> for Tagged<'_, 'de> {
    type Error = GiveUp;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), GiveUp> {
        let variant = seed.deserialize(Key(self.0))?;
        self.0.expect(b':')?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'_, 'de> {
    type Error = GiveUp;

    fn unit_variant(self) -> Result<(), GiveUp> {
        Err(GiveUp)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, GiveUp> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, GiveUp> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, GiveUp> {
        self.0.deserialize_map(visitor)
    }
}
