//! The store, opened for a command that is not asynchronous itself.

use std::future::Future;

use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};

use super::{Context, Failure};
use crate::eval::exit;
use crate::net::{scrub::Secrets, secret};
use crate::store::db::{Store, StoreError, StoreUrl, Trouble};
use crate::suite::settings::StoreAt;

/// The store, and what drives it.
pub struct Opened {
    store: Store,
    runtime: Runtime,
}

impl Opened {
    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits for something that is asked of the store.
    ///
    /// # Errors
    /// The store could not do it.
    pub fn wait<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
        self.runtime.block_on(asked).map_err(|why| Failure::store(&why))
    }

    /// What drives it, for a command that does more than ask the store.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// Lets go of the store in order, so that of SQLite a single file is left.
impl Drop for Opened {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}

impl Failure {
    /// The store cannot be used. What may be otherwise later is incomplete; what is not as it must be is a mistake.
    pub fn store(why: &StoreError) -> Self {
        let code = match why.trouble {
            Trouble::Foreign { .. } | Trouble::Newer { .. } | Trouble::Denied { .. } | Trouble::ReadOnly => exit::USAGE,
            _ => exit::INCOMPLETE,
        };
        Self::new(code, why)
    }
}

impl Context {
    /// Which store the settings name, with its password; `None` where it is `off`.
    ///
    /// # Errors
    /// A variable that its address names is not set.
    pub fn store_url(&self) -> Result<Option<StoreUrl>, Failure> {
        let at = &self.settings.store.value;
        if let StoreAt::File(path) = at {
            return Ok(Some(StoreUrl::File(self.cwd.join(path))));
        }
        let address =
            at.address(&secret::of_environment).map_err(|why| Failure::usage(format_args!("store: {why}")))?;
        // Whoever writes it out in a variable or a flag has it hidden all the same.
        if let Some(address) = &address {
            password(address.expose_secret()).iter().for_each(|password| Secrets::of_process().add(password));
        }
        Ok(address.map(StoreUrl::Postgres))
    }

    /// Opens the store that the settings name, and makes it where there is none; `None` where it is `off`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn store(&self) -> Result<Option<Opened>, Failure> {
        let Some(url) = self.store_url()? else { return Ok(None) };
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("store").enable_all().build();
        let runtime = runtime.map_err(|e| Failure::new(exit::BUG, format_args!("no thread could be started: {e}")))?;
        let store = runtime.block_on(Store::open(&url)).map_err(|why| Failure::store(&why))?;
        // Without anybody to tell, nothing is put down to be told.
        let store = if self.settings.review.value.webhooks.is_empty() { store } else { store.posting() };
        Ok(Some(Opened { store: store.hiding(self.redactors()), runtime }))
    }

    /// Takes sessions out that are older than `keep_content` says and that nobody has to read any more: what runs and pages
    /// do, which bring them in and show them. Whoever only looks changes nothing.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn retain(&self, store: &Store) -> Result<(), StoreError> {
        let Some(kept) = self.settings.keep_content.value else { return Ok(()) };
        let now = jiff::Timestamp::now().as_millisecond();
        store.purge(super::store::before(now, kept), false, false, now).await.map(drop)
    }

    /// The same for a command that is nothing without it.
    ///
    /// # Errors
    /// It cannot be opened, or is `off`.
    pub fn needed_store(&self) -> Result<Opened, Failure> {
        let off =
            || Failure::usage(format_args!("there is no store: `store` is `off` ({})", self.settings.store.origin));
        self.store()?.ok_or_else(off)
    }
}

/// The password of an address, as it stands there and as it is meant.
fn password(address: &str) -> Vec<String> {
    let Ok(url) = reqwest::Url::parse(address) else { return Vec::new() };
    let parameters = url.query_pairs().filter(|(name, _)| name == "password").map(|(_, value)| value.into_owned());
    url.password().map(str::to_owned).into_iter().chain(parameters).collect()
}
