//! The shop: the same three orders for every session, and the tools that read and change them.

use serde_json::{Map, Value, json};

/// The orders of one session.
#[derive(Debug, Clone)]
pub struct Shop {
    orders: Map<String, Value>,
    refunds: Vec<Value>,
    /// The order that was spoken of last.
    pub last: Option<String>,
    /// Whether it was told to come again.
    pub was_busy: bool,
}

impl Default for Shop {
    fn default() -> Self {
        let order = |status: &str, item: &str, price: f64| json!({ "status": status, "item": item, "price": price });
        let orders = [
            ("A100", order("shipped", "a rope of 20 m", 39.9)),
            ("B200", order("processing", "a compass", 84.0)),
            ("C300", order("delivered", "a pair of oars", 59.5)),
        ];
        let orders = orders.into_iter().map(|(id, order)| (id.to_owned(), order)).collect();
        Self { orders, refunds: Vec::new(), last: None, was_busy: false }
    }
}

impl Shop {
    /// Calls a tool. `Err` is what went wrong, in words.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, String> {
        let id = arguments["order_id"].as_str().unwrap_or_default();
        let order = self.orders.get_mut(id).ok_or_else(|| format!("there is no order {id}"))?;
        let status = order["status"].as_str().unwrap_or_default().to_owned();
        match tool {
            "look_up_order" => {}
            "cancel_order" if status == "processing" => order["status"] = "cancelled".into(),
            "cancel_order" => return Err(format!("order {id} is {status}, and cannot be cancelled")),
            "refund_order" if status == "delivered" => {
                order["status"] = "refunded".into();
                self.refunds.push(json!({ "order_id": id, "amount": order["price"] }));
            }
            "refund_order" => return Err(format!("order {id} is {status}, and cannot be refunded")),
            _ => return Err(format!("there is no tool {tool}")),
        }
        let mut told = order.clone();
        told["order_id"] = id.into();
        Ok(told)
    }

    /// The world, as JSON.
    pub fn state(&self) -> Value {
        json!({ "orders": self.orders, "refunds": self.refunds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_change_what_they_may_and_nothing_else() {
        let (mut shop, fresh) = (Shop::default(), Shop::default().state());
        let of = |id: &str| json!({ "order_id": id });
        assert_eq!(shop.call("look_up_order", &of("A100")).unwrap()["status"], "shipped");
        assert!(shop.call("cancel_order", &of("A100")).is_err());
        assert!(shop.call("refund_order", &of("B200")).is_err());
        assert!(shop.call("look_up_order", &of("Z999")).is_err());
        assert_eq!(shop.state(), fresh);
        shop.call("cancel_order", &of("B200")).unwrap();
        shop.call("refund_order", &of("C300")).unwrap();
        assert_eq!(shop.state()["orders"]["B200"]["status"], "cancelled");
        assert_eq!(shop.state()["refunds"], json!([{ "order_id": "C300", "amount": 59.5 }]));
    }
}
