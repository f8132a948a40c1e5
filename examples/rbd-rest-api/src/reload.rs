//! Files that are read again when they have changed: settings, tokens, the certificate and its key.
//!
//! Their contents are compared, every two seconds: Kubernetes replaces symbolic links on the way to them, and tells
//! nobody. SIGHUP has all read again at once. What cannot be used is logged, and what was there before stays.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{self, MissedTickBehavior};

use crate::app::AppState;
use crate::config::{self, Error, Settings};
use crate::server::SetLog;
use crate::tls::Tls;

const INTERVAL: Duration = Duration::from_secs(2);

/// Reads files again.
pub struct Reloader {
    app: AppState,
    tls: Option<Tls>,
    set_log: SetLog,
    seen: Seen,
}

/// What was read last: settings, tokens, certificate and key.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    config: Digests,
    tokens: Digests,
    tls: Digests,
}

type Digests = Vec<Option<[u8; 32]>>;

impl Reloader {
    /// `read` are the settings that all has been read with already.
    pub fn new(app: AppState, tls: Option<Tls>, set_log: SetLog) -> Self {
        let seen = Seen::now(&app.settings.load());
        Self {
            app,
            tls,
            set_log,
            seen,
        }
    }

    /// Goes on for ever.
    pub async fn run(mut self) {
        let mut hang_up = signal(SignalKind::hangup()).expect("the runtime has signals");
        let mut ticks = time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let all = tokio::select! {
                _ = ticks.tick() => false,
                _ = hang_up.recv() => true,
            };
            let look = move || {
                self.look(all);
                self
            };
            match spawn_blocking(look).await {
                Ok(this) => self = this,
                Err(_) => return,
            }
        }
    }

    fn look(&mut self, all: bool) {
        let old = self.app.settings.load_full();
        if all || Seen::of([old.config.as_deref()]) != self.seen.config {
            report("settings", self.read_settings(&old));
        }
        let settings = self.app.settings.load_full();
        let now = Seen::now(&settings);
        if all || now.tokens != self.seen.tokens {
            report("tokens", self.app.tokens.reload(&settings));
        }
        if let Some(tls) = &self.tls
            && (all || now.tls != self.seen.tls)
        {
            report("certificate", tls.reload(&settings));
        }
        self.seen = now;
    }

    fn read_settings(&self, old: &Settings) -> Result<(), Error> {
        let (new, fixed) = old.followed_by(config::read_settings()?);
        (self.set_log)(&new)?;
        for name in fixed {
            tracing::warn!("the setting {name} has changed; it holds after a restart");
        }
        self.app.settings.store(Arc::new(new));
        Ok(())
    }
}

impl Seen {
    fn now(settings: &Settings) -> Self {
        Self {
            config: Self::of([settings.config.as_deref()]),
            tokens: Self::of([settings.tokens.as_deref()]),
            tls: Self::of([settings.tls_cert.as_deref(), settings.tls_key.as_deref()]),
        }
    }

    fn of<const N: usize>(files: [Option<&Path>; N]) -> Digests {
        let digest = |path| Some(Sha256::digest(fs::read(path).ok()?).into());
        files.into_iter().flatten().map(digest).collect()
    }
}

fn report(what: &str, result: Result<(), Error>) {
    match result {
        Ok(()) => tracing::info!("{what}: read again"),
        Err(error) => tracing::error!("{what}: what was there before stays: {error}"),
    }
}
