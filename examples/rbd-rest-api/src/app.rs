//! What all requests share.

use std::sync::Arc;

use crate::auth::Tokens;
use crate::ceph::Ceph;
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::transfers::Transfers;

/// The service's state.
pub struct App {
    pub settings: Settings,
    pub ceph: Ceph,
    pub tokens: Tokens,
    pub operations: Operations,
    pub metrics: Metrics,
    pub transfers: Transfers,
}

/// It, as the functions of requests get it.
pub type AppState = Arc<App>;
