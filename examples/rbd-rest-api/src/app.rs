//! What all requests share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::auth::Tokens;
use crate::ceph::Ceph;
use crate::config::Live;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::transfers::Transfers;

/// The service's state.
pub struct App {
    pub settings: Live,
    pub ceph: Ceph,
    pub tokens: Tokens,
    pub operations: Operations,
    pub metrics: Metrics,
    pub limits: Limits,
    /// Whether the service is about to end: streams that would go on for ever end when it is.
    pub ending: watch::Receiver<bool>,
    pub transfers: Transfers,
}

/// It, as the functions of requests get it.
pub type AppState = Arc<App>;
