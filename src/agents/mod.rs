//! Floor 1: the ways to speak with a live agent, one file each, and the registry that lists them.
//!
//! An adapter's file carries its parameters (the keys of `[agent]` besides `kind`: a struct whose doc comments are its
//! documentation and its JSON Schema), its implementation and its tests; it is then one line in [`KINDS`]. An adapter
//! says one thing at a time and hears what comes back. How often, how many at once, and what becomes of the answers is
//! not its business.

pub mod a2a;
pub mod agentcore;
pub mod command;
pub mod conversation;
pub mod http;
pub mod kind;
pub mod mcp;
pub mod openai;
mod picks;
mod process;
pub mod template;
#[cfg(test)]
mod testing;
pub mod wire;

pub use conversation::{Agent, Call, Conversation, Exchange, Heard, Say, Start};
use kind::entry;
pub use kind::{AgentParams, Kind};

/// Every kind of agent, in the order of the reference.
pub static KINDS: &[Kind] = &[
    entry::<http::Http>(),
    entry::<openai::OpenAi>(),
    entry::<a2a::A2a>(),
    entry::<agentcore::AgentCore>(),
    entry::<command::Command>(),
    entry::<mcp::Mcp>(),
];

/// The kind called `name`.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_every_kind_is_an_agent() {
        for kind in KINDS {
            let example: toml::Table = toml::from_str(kind.example).unwrap();
            let table = example["agent"].as_table().unwrap();
            assert_eq!(table["kind"].as_str(), Some(kind.name));
            let text = toml::to_string(table).unwrap();
            if let Err(problems) = testing::build(&text) {
                panic!("{}: {problems:?}", kind.name);
            }
        }
    }
}
