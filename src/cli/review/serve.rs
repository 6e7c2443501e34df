//! `seatrial review serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use secrecy::SecretString;

use super::super::context::{Context, Failure, eprint};
use super::super::signals::Interrupt;
use super::notify::tell_all;
use super::opened::{Opened, now, reviewer};
use crate::eval::exit;
use crate::model::duration;
use crate::net::secret;
use crate::net::webhook::send::Sender;
use crate::report::safe;
use crate::review::serve::access::{Access, Net, Proxy};
use crate::review::serve::{ServeError, Server, Setup};
use crate::review::suites::Suites;
use crate::store::db::{Role, Store};

/// How often it is looked whether something is to be told to others.
const TELL: Duration = Duration::from_secs(20);

/// How often it is looked whether sessions were kept for long enough.
const RETAIN: Duration = Duration::from_secs(3600);

/// Arguments of `seatrial review serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial review serve                                      for one person, on this machine
  seatrial review serve --suites suites                      with `r` an item becomes a case of its suite
  seatrial review user add ann --role admin                  first the people,
  seatrial review serve --auth users --listen 0.0.0.0:8787 \\
    --url https://review.example.com                         then the pages for them
  seatrial review serve --auth proxy --proxy-header x-forwarded-user \\
    --proxy-from 10.0.0.7 --listen 0.0.0.0:8787 --url https://review.example.com

Behind a proxy, say with --proxy-from where it sends from, also with `--auth users`: attempts to sign in are counted by \
where visitors come from, and a proxy says that in `x-forwarded-for`, which nobody else is believed.

Without `--auth` whoever has the printed address reviews, and only on this machine; with every role, or where the store has \
users with that of the name. With `users` people sign in with \
passwords; with `proxy` a reverse proxy has let them in and names them. Every look at a session is written down \
(`/trail`). Answers are saved when the page says so: a killed server loses none. With `--suites` whoever has answered an \
item, or sees it decided, can make a regression case of it; nothing that stands in a suite is changed by that.

Exit codes: 0 when it is interrupted; 2 when it cannot listen, or must not at that address; 5 when it ended by itself.")]
pub struct Args {
    /// Where to listen: an address or a port of this machine, 0 for any free one.
    #[arg(long, value_name = "ADDR", default_value = "8787", value_parser = listen)]
    listen: SocketAddr,
    /// The address that people reach it by, such as `https://review.example.com`. No other name is taken.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How people are told apart.
    #[arg(long, value_enum, default_value = "local")]
    auth: Auth,
    /// The header in which the proxy names the user, with `--auth proxy`.
    #[arg(long, value_name = "NAME", default_value = "x-forwarded-user")]
    proxy_header: HeaderName,
    /// An address or network that a proxy sends from, such as 10.0.0.7: there `x-forwarded-for` says where visitors come
    /// from, and with `--auth proxy` users are named. May be given again.
    #[arg(long, value_name = "NET", value_parser = Net::parse)]
    proxy_from: Vec<Net>,
    /// The environment variable with the secret that the proxy shows in `x-seatrial-proxy-secret`.
    #[arg(long, value_name = "NAME")]
    proxy_secret_env: Option<String>,
    /// How long somebody has an item that they took; a page that is open keeps it.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration::parse)]
    lease: Duration,
    /// The folder of suites: `r` makes a regression case of an item in the file of its suite, as `review case` does.
    #[arg(long, value_name = "DIR")]
    suites: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Auth {
    /// One person on this machine, by the address that is printed.
    Local,
    /// The users of the store, by password.
    Users,
    /// The users of the store, as a reverse proxy names them.
    Proxy,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let here = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let wrong = |_| "an address such as 127.0.0.1:8787, a port such as 8787, or 0 for any free port".to_owned();
    text.parse::<u16>().map(here).or_else(|_| text.parse()).map_err(wrong)
}

/// Serve the pages on which people review.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let access = access(args, context)?;
    let suites = args.suites.clone().map(Suites::of).transpose().map_err(Failure::usage)?;
    let opened = Opened::new(context)?;
    if let Access::Local { name, .. } = &access {
        opened.may(name, Role::Reviewer)?;
    } else if opened.wait(opened.store.users())?.is_empty() {
        return Err(Failure::usage(
            "there are no users to let in: `seatrial review user add NAME --role admin` adds the first",
        ));
    }
    opened.runtime().block_on(serve(args, context, access, suites, opened.store.clone()))
}

fn access(args: &Args, context: &Context) -> Result<Access, Failure> {
    if args.lease < Duration::from_secs(1) {
        return Err(Failure::usage("`--lease`: at least a second"));
    }
    match args.auth {
        Auth::Local => {
            let token = crate::review::serve::secret::token().map_err(|why| Failure::new(exit::BUG, why))?;
            Ok(Access::Local { name: reviewer(context)?, token: String::from(token).into() })
        }
        Auth::Users => Ok(Access::Users),
        Auth::Proxy => {
            let find = |name: &String| -> Result<SecretString, Failure> {
                let found = secret::of_environment(name).filter(|secret| !secret.is_empty());
                let unset = || secret::unset(name, &|name| std::env::var(name).ok());
                found.map(Into::into).ok_or_else(|| Failure::usage(format_args!("`--proxy-secret-env`: {}", unset())))
            };
            let secret = args.proxy_secret_env.as_ref().map(find).transpose()?;
            Ok(Access::Proxy(Proxy { header: args.proxy_header.clone(), from: args.proxy_from.clone(), secret }))
        }
    }
}

async fn serve(
    args: &Args,
    context: &Context,
    access: Access,
    suites: Option<Suites>,
    store: Store,
) -> Result<u8, Failure> {
    let token = match &access {
        Access::Local { token, .. } => Some(token.clone()),
        _ => None,
    };
    let shown = store.shown().to_owned();
    let mut interrupt = Interrupt::new().map_err(|why| Failure::new(exit::BUG, why))?;
    let (telling, retaining) = (tell(context, store.clone()), retain(context, store.clone()));
    let is_users = matches!(access, Access::Users);
    let (url, proxies) = (args.url.clone(), args.proxy_from.clone());
    let setup = Setup { store, access, url, proxies, lease: args.lease, suites, clock: Arc::new(now) };
    let server = Server::listen(args.listen, setup).await.map_err(failure)?;
    let address = server.address();
    let mut said = match (&token, &args.url) {
        (Some(token), _) => {
            use secrecy::ExposeSecret;
            format!("review at http://{address}/enter?token={}\n", token.expose_secret())
        }
        (None, Some(url)) => format!("review at {url} (listening at {address})\n"),
        (None, None) => format!("review at http://{address}/\n"),
    };
    if args.url.as_deref().is_some_and(|url| url.starts_with("http:")) && token.is_none() {
        said.push_str("seatrial: passwords and sessions go over the network in clear: put https before it\n");
    }
    if is_users && args.url.is_some() && args.proxy_from.is_empty() {
        said.push_str(
            "seatrial: attempts to sign in are counted by the address of the connection; if a proxy stands before this, say \
             where it sends from (`--proxy-from`)\n",
        );
    }
    said.push_str(&format!("items and answers are in {}; interrupt it to end\n", safe::line(&shown)));
    // Not a note: who starts it must learn the address.
    eprint(&said);
    tokio::select! {
        served = server.serve(async move { interrupt.wait().await }) => served.map_err(failure)?,
        () = telling => {}
        () = retaining => {}
    }
    Ok(exit::PASSED)
}

/// Sends the webhooks that are due, again and again, for as long as there are pages. What is under way when they end is
/// sent by the next who looks: it waits in the store.
async fn tell(context: &Context, store: Store) {
    let sender = match Sender::new() {
        Ok(sender) if !context.settings.review.value.webhooks.is_empty() => sender,
        Ok(_) => return std::future::pending().await,
        Err(why) => {
            eprint(&format!("seatrial: no webhooks are sent: {}\n", safe::line(&why.to_string())));
            return std::future::pending().await;
        }
    };
    let mut tick = tokio::time::interval(TELL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let troubles = match tell_all(&store, &sender, context).await {
            Ok(told) => told.troubles,
            Err(why) => vec![why.to_string()],
        };
        troubles.iter().for_each(|why| eprint(&format!("seatrial: not sent: {}\n", safe::line(why))));
    }
}

/// Takes sessions out that have been kept for long enough, again and again: pages may be served for weeks.
async fn retain(context: &Context, store: Store) {
    let mut tick = tokio::time::interval(RETAIN);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(why) = context.retain(&store).await {
            eprint(&format!("seatrial: nothing was purged: {}\n", safe::line(&why.to_string())));
        }
    }
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::Unsafe(_) | ServeError::Url(_) | ServeError::Listen { .. } => Failure::usage(error),
        ServeError::Random(_) => Failure::new(exit::BUG, error),
        ServeError::Ended(_) => Failure::new(exit::INCOMPLETE, error),
    }
}
