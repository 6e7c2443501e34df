//! What is pulled from a server whose consumers and streams know different things.

use std::sync::Arc;
use std::time::{Duration, Instant};

use seatrial::fleet::address::Address;
use seatrial::fleet::pull::{Pull, Whose};
use seatrial::fleet::queue::{Note, Queue};

use crate::nats::Nats;
use crate::receive::recorder::run;

#[test]
fn what_is_gone_while_somebody_has_it_in_hand_keeps_nothing_else_from_being_handed_out() {
    let Some(nats) = Nats::start() else { return };
    let address: Address = nats.url("gone").parse().expect("an address");
    run(async {
        let queue = Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue");
        let put = async |id: &str| {
            queue.put(&queue.work("r"), id, id.as_bytes(), Note::default(), &|| false).await.expect("put")
        };
        let wait = Duration::from_millis(300);
        let consumer = queue.workers(Some(wait)).await.expect("a consumer");
        let mut gone = Vec::new();
        for id in ["a", "b"] {
            gone.push(put(id).await);
            let message = queue.next(&consumer, Duration::from_secs(30)).await.expect("answers").expect("a message");
            assert_eq!(queue.content(&message).await.expect("content"), id);
        }
        for id in ["c", "d"] {
            put(id).await;
        }
        let client = async_nats::connect(address.url()).await.expect("a client");
        let stream = async_nats::jetstream::new(client).get_stream("gone_WORK").await.expect("a stream");
        for place in &gone {
            assert!(stream.delete_message(*place).await.expect("gone"));
        }
        tokio::time::sleep(wait * 4).await;
        let mut pull = Pull::new(queue.clone(), Whose::Workers, Arc::new(|_: &str| ())).await.expect("a consumer");
        let (mut found, began) = (Vec::new(), Instant::now());
        while found.len() < 2 {
            assert!(began.elapsed() < Duration::from_secs(60), "{found:?}");
            let Some(message) = pull.next(Duration::from_secs(1)).await.expect("answers") else { continue };
            found.push(queue.content(&message).await.expect("content"));
            queue.done_with(&message).await.expect("done");
        }
        assert_eq!(found, ["c", "d"]);
        assert!(!queue.has_work(gone[0], "a").await.expect("answers"));
        let place = put("e").await;
        assert!(queue.has_work(place, "e").await.expect("answers"));
        assert!(!queue.has_work(place, "f").await.expect("answers"), "its place is another's");
    });
}
