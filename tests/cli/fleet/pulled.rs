//! What is pulled from a server that has messages and hands them to nobody.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use seatrial::fleet::address::Address;
use seatrial::fleet::bundle::VERSION;
use seatrial::fleet::pull::Pull;
use seatrial::fleet::queue::{Note, Queue, Whose, token};

use crate::nats::Nats;
use crate::receive::recorder::run;

#[test]
fn a_consumer_that_hands_out_nothing_is_made_anew_and_begins_with_the_first_message() {
    let Some(nats) = Nats::start() else { return };
    let address: Address = nats.url("stands").parse().expect("an address");
    run(async {
        let queue = Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue");
        // One that waits for ever for the one message that is in somebody's hand.
        let client = async_nats::connect(address.url()).await.expect("a client");
        let stream = async_nats::jetstream::new(client).get_stream("stands_WORK").await.expect("a stream");
        let version = token(VERSION);
        let stands = pull::Config {
            durable_name: Some(format!("workers-{version}")),
            filter_subject: format!("stands.work.{version}.>"),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(3600),
            max_ack_pending: 1,
            ..pull::Config::default()
        };
        stream.create_consumer(stands).await.expect("a consumer");
        for id in ["a", "b"] {
            queue.put(&queue.work("r"), id, id.as_bytes(), Note::default(), &|| false).await.expect("put");
        }
        let consumer = queue.workers(None).await.expect("the consumer");
        let (say, told) = mpsc::channel();
        let say = Mutex::new(say);
        let tell = Arc::new(move |said: &str| {
            say.lock().expect("one speaks").send(said.to_owned()).expect("heard");
        });
        let mut pull = Pull::new(queue.clone(), Whose::Workers, consumer, tell);
        let (mut found, began) = (Vec::new(), Instant::now());
        while found.len() < 3 {
            assert!(began.elapsed() < Duration::from_secs(60), "{found:?}");
            let Some(message) = pull.next(Duration::from_millis(300)).await.expect("answers") else { continue };
            found.push(queue.content(&message).await.expect("content"));
        }
        assert_eq!(found, ["a", "a", "b"], "the first again, and what stood behind it");
        assert_eq!(told.try_iter().count(), 1, "which is told");
    });
}

#[test]
fn whoever_asked_learns_that_a_portion_is_gone_also_where_another_has_its_place() {
    let Some(nats) = Nats::start() else { return };
    let address: Address = nats.url("gone").parse().expect("an address");
    run(async {
        let queue = Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue");
        let place = queue.put(&queue.work("r"), "a", b"a", Note::default(), &|| false).await.expect("put");
        assert!(queue.has_work(place, "a").await.expect("answers"));
        assert!(!queue.has_work(place, "b").await.expect("answers"), "its place is another's");
        let consumer = queue.workers(None).await.expect("a consumer");
        let message = queue.next(&consumer, Duration::from_secs(30)).await.expect("answers").expect("a message");
        queue.done_with(&message).await.expect("done");
        assert!(!queue.has_work(place, "a").await.expect("answers"));
    });
}
