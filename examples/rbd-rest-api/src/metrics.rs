//! What is counted, in Prometheus' format.

use std::fmt;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::app::AppState;
use crate::ceph::Ceph;
use crate::limits::{Gauge, Limits};
use crate::operations::Operations;

/// Upper ends of the classes of latency, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0,
];

/// The counters.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answer, Counter>,
    latency: Family<Route, Histogram, fn() -> Histogram>,
    /// Requests whose answer has not been sent whole.
    pub in_flight: Gauge,
    /// Open connections.
    pub connections: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: &'static str,
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    path: String,
}

impl Metrics {
    pub fn new(ceph: &Ceph, operations: &Operations, limits: &Limits) -> Self {
        let mut registry = Registry::with_prefix("rbd_rest_api");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        let requests = Family::default();
        registry.register("requests", "Requests that were answered", requests.clone());
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let latency = Family::new_with_constructor(histogram);
        let help = "Time until an answer began";
        registry.register("request_seconds", help, latency.clone());
        let (in_flight, connections) = (Gauge::default(), Gauge::default());
        registry.register_collector(Box::new(Now {
            ceph: ceph.clone(),
            operations: operations.clone(),
            limits: limits.clone(),
            in_flight: in_flight.clone(),
            connections: connections.clone(),
        }));
        Self {
            registry,
            requests,
            latency,
            in_flight,
            connections,
        }
    }

    /// A request was answered.
    pub fn answered(&self, method: &'static str, path: &str, status: StatusCode, seconds: f64) {
        let (path, status) = (path.to_owned(), status.as_u16());
        let route = Route {
            method,
            path: path.clone(),
        };
        self.latency.get_or_create(&route).observe(seconds);
        let answer = Answer {
            method,
            path,
            status,
        };
        self.requests.get_or_create(&answer).inc();
    }
}

/// What is as it is when it is asked for.
struct Now {
    ceph: Ceph,
    operations: Operations,
    limits: Limits,
    in_flight: Gauge,
    connections: Gauge,
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Now").finish_non_exhaustive()
    }
}

impl prometheus_client::collector::Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (ceph, wakes) = (self.ceph.stat(), rados::wake_stat());
        let gauges = [
            ("connections", "Open connections", self.connections.get()),
            (
                "requests_in_flight",
                "Requests whose answer has not been sent whole",
                self.in_flight.get(),
            ),
            (
                "streams_in_flight",
                "Uploads, downloads and streams of events among them",
                self.limits.streams.get(),
            ),
            (
                "operations_running",
                "Operations that go on",
                self.operations.running(),
            ),
            (
                "ceph_connected",
                "Whether there is a connection to the cluster",
                ceph.connected.into(),
            ),
            (
                "ceph_calls_in_flight",
                "Calls that wait for the cluster",
                ceph.running,
            ),
            (
                "ceph_calls_waiting",
                "Calls that wait for their turn, or for a connection",
                ceph.waiting,
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let seconds = [
            (
                "ceph_longest_wake_seconds",
                "The longest that a waker has kept Ceph's callbacks",
                wakes.longest,
            ),
            (
                "ceph_oldest_call_seconds",
                "For how long the oldest of the calls in flight has waited for the cluster",
                ceph.oldest,
            ),
        ];
        for (name, help, value) in seconds {
            let gauge = ConstGauge::new(value.as_secs_f64());
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let counters = [
            ("ceph_connects", "Connects that succeeded", ceph.connects),
            (
                "ceph_call_timeouts",
                "Calls that the cluster did not answer within the deadline",
                ceph.timeouts,
            ),
            (
                "ceph_slow_wakes",
                "Wakers that have kept Ceph's callbacks for more than a millisecond",
                wakes.slow,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

pub fn router() -> Router<AppState> {
    Router::new().route("/metrics", get(show))
}

async fn show(State(app): State<AppState>) -> Response {
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry).expect("a String takes everything");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
