//! What is too large for a message, and what is kept under its digest: the object store of a fleet.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::context::Context;
use async_nats::jetstream::object_store::{self, ObjectStore};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::queue::{AGAIN, QueueError, refused, token};
use crate::model::digest::Digest;

/// For how long an object is there. Whoever keeps one under its digest puts it there again after half of that.
const THERE_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long is waited for the next part of an object.
const STALLS: Duration = Duration::from_secs(10);

/// The objects of a fleet. Cheap to clone.
#[derive(Clone)]
pub struct Objects(ObjectStore);

impl Objects {
    /// Those of a fleet, made where they are not there.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn of(js: &Context, fleet: &str) -> Result<Self, QueueError> {
        let bucket = object_store::Config {
            bucket: format!("{fleet}-blobs"),
            max_age: THERE_FOR,
            num_replicas: 1,
            ..object_store::Config::default()
        };
        let there = js.get_object_store(&bucket.bucket).await;
        let objects = match there {
            Ok(objects) => objects,
            Err(_) => js
                .create_object_store(bucket)
                .await
                .map_err(refused("the object store of the fleet (is JetStream enabled: `nats-server -js`?)"))?,
        };
        Ok(Self(objects))
    }

    /// Puts one there.
    ///
    /// # Errors
    /// The server does not take it.
    pub async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), QueueError> {
        let mut reader = bytes;
        self.0.put(name, &mut reader).await.map(drop).map_err(refused("an object"))
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is not there, or not whole.
    pub async fn get(&self, name: &str) -> Result<Vec<u8>, QueueError> {
        let mut object = self.0.get(name).await.map_err(refused("an object"))?;
        let mut bytes = Vec::new();
        loop {
            // One that somebody puts there anew loses what it was made of before, and who reads that waits for it in vain.
            let read = timeout(STALLS, object.read_buf(&mut bytes)).await;
            let read = read.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut)).flatten();
            if read.map_err(refused("an object"))? == 0 {
                return Ok(bytes);
            }
        }
    }

    /// Takes one away.
    pub async fn delete(&self, name: &str) {
        // Otherwise it goes by its age.
        let _ = self.0.delete(name).await;
    }

    /// Puts bytes under their digest, unless they are there, whole and for long enough.
    ///
    /// # Errors
    /// It is to end.
    pub async fn keep(&self, bytes: &[u8], stop: &(dyn Fn() -> bool + Sync)) -> Result<Digest, QueueError> {
        let digest = Digest::of(bytes);
        let name = token(&digest.to_string());
        loop {
            if (self.is_fresh(&name).await && self.kept(&digest).await.is_ok()) || self.put(&name, bytes).await.is_ok()
            {
                return Ok(digest);
            }
            if stop() {
                return Err(QueueError::Stopped);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// What is kept under a digest.
    ///
    /// # Errors
    /// It is not there, or is not what it was.
    pub async fn kept(&self, digest: &Digest) -> Result<Vec<u8>, QueueError> {
        let bytes = self.get(&token(&digest.to_string())).await?;
        if Digest::of(&bytes) != *digest {
            return Err(QueueError::Refused { what: "an object", why: format!("it is not {digest} any more") });
        }
        Ok(bytes)
    }

    async fn is_fresh(&self, name: &str) -> bool {
        let Ok(info) = self.0.info(name).await else { return false };
        let age = info.modified.and_then(|at| SystemTime::now().duration_since(at.into()).ok());
        !info.deleted && age.is_some_and(|age| age < THERE_FOR / 2)
    }
}
