//! What the agent does next, and what it says: in the place of a model, a few rules.

use serde_json::{Value, json};

use super::faults::{Fault, Faults};

/// A call that was made, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The id that pairs it with its result.
    pub id: String,
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: Value,
    /// Its result, or what went wrong.
    pub result: Result<Value, String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A call of a tool.
    Call(&'static str, Value),
    /// The reply.
    Say(String),
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Cancel,
    Refund,
    Status,
    Thanks,
    Other,
}

/// How often it looks up what it looks up again and again.
const ROUNDS: usize = 8;

/// The order that words speak of: a letter and three digits.
pub fn order(words: &str) -> Option<String> {
    let word = words.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| {
        let (letter, digits) = word.split_at_checked(1).unwrap_or_default();
        letter.chars().all(|c| c.is_ascii_alphabetic())
            && digits.len() == 3
            && digits.bytes().all(|b| b.is_ascii_digit())
    })?;
    Some(word.to_ascii_uppercase())
}

fn wish(words: &str) -> Wish {
    let words = words.to_lowercase();
    let any = |all: &[&str]| all.iter().any(|word| words.contains(word));
    if any(&["cancel"]) {
        Wish::Cancel
    } else if any(&["refund", "money back"]) {
        Wish::Refund
    } else if any(&["where", "status", "track", "when", "order"]) || order(&words).is_some() {
        Wish::Status
    } else if any(&["thank", "bye"]) {
        Wish::Thanks
    } else {
        Wish::Other
    }
}

/// What to do after `steps`, when the user said `words` about `order`.
pub fn next(words: &str, order: Option<&str>, steps: &[Step], faults: &Faults) -> Next {
    let wish = wish(words);
    if wish == Wish::Thanks {
        return Next::Say("You are welcome. Fair winds!".to_owned());
    }
    if wish == Wish::Other {
        return Next::Say("I can look up, cancel and refund orders. What can I do for you?".to_owned());
    }
    let Some(order) = order else {
        return Next::Say("Which order is it about? Its number is a letter and three digits.".to_owned());
    };
    let call = |tool| Next::Call(tool, json!({ "order_id": order }));
    let Some(last) = steps.last() else {
        return call(if faults.has(Fault::WrongTool) { "cancel_order" } else { "look_up_order" });
    };
    if faults.has(Fault::Loop) && steps.len() < ROUNDS {
        return call("look_up_order");
    }
    let told = match &last.result {
        Ok(told) => told,
        Err(why) => return Next::Say(format!("I am sorry: {why}.")),
    };
    let said = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let (status, item) = (said("status"), said("item"));
    let mut say = match (wish, last.tool, status.as_str()) {
        (Wish::Cancel, "look_up_order", "processing") => return call("cancel_order"),
        (Wish::Refund, "look_up_order", "delivered") => return call("refund_order"),
        (Wish::Cancel, "look_up_order", _) => {
            format!("Order {order} is {status}, so that it cannot be cancelled any more.")
        }
        (Wish::Refund, "look_up_order", _) => {
            format!("Order {order} is {status}, and cannot be refunded before it is delivered.")
        }
        (_, "cancel_order", _) => format!("Order {order} ({item}) is cancelled."),
        (_, "refund_order", _) => {
            format!("{:.2} USD for order {order} are on their way to you.", told["price"].as_f64().unwrap_or_default())
        }
        _ => format!("Order {order} ({item}) is {status}."),
    };
    if faults.has(Fault::Pii) {
        say.push_str(" It was paid with card 4111 1111 1111 1111 by ann.bonny@example.com.");
    }
    Next::Say(say)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::shop::Shop;

    /// The tools that are called, and the reply.
    fn talk(words: &str, faults: &[Fault]) -> (Vec<&'static str>, String) {
        let (mut shop, mut steps, faults) = (Shop::default(), Vec::new(), Faults::new(faults.to_vec()));
        loop {
            match next(words, order(words).as_deref(), &steps, &faults) {
                Next::Say(reply) => return (steps.iter().map(|s: &Step| s.tool).collect(), reply),
                Next::Call(tool, arguments) => {
                    let result = shop.call(tool, &arguments);
                    steps.push(Step { id: String::new(), tool, arguments, result });
                }
            }
        }
    }

    #[test]
    fn it_looks_up_before_it_changes_anything() {
        let (tools, reply) = talk("Please cancel b200", &[]);
        assert_eq!(tools, ["look_up_order", "cancel_order"]);
        assert_eq!(reply, "Order B200 (a compass) is cancelled.");
        let (tools, reply) = talk("cancel A100", &[]);
        assert_eq!(tools, ["look_up_order"]);
        assert!(reply.contains("cannot be cancelled"), "{reply}");
        assert_eq!(talk("I want my money back for C300", &[]).1, "59.50 USD for order C300 are on their way to you.");
        assert_eq!(talk("Where is A100?", &[]).1, "Order A100 (a rope of 20 m) is shipped.");
        assert!(talk("Cancel my order", &[]).1.starts_with("Which order"));
        assert!(talk("Where is Z999?", &[]).1.contains("there is no order Z999"));
    }

    #[test]
    fn it_does_wrong_on_request() {
        assert_eq!(talk("Where is B200?", &[Fault::WrongTool]).0, ["cancel_order"]);
        assert_eq!(talk("Where is B200?", &[Fault::Loop]).0, ["look_up_order"; ROUNDS]);
        assert!(talk("Where is B200?", &[Fault::Pii]).1.contains("4111 1111 1111 1111"));
    }
}
