//! What all requests share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::auth::Tokens;
use crate::ceph::Ceph;
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::operations::Operations;

/// The service's state.
pub struct App {
    pub settings: Settings,
    pub ceph: Ceph,
    pub tokens: Tokens,
    pub operations: Operations,
    pub metrics: Metrics,
    /// Whether the service has been told to end: what would go on without an end, does so then.
    pub ending: watch::Receiver<bool>,
}

/// It, as the functions of requests get it.
pub type AppState = Arc<App>;
