//! How the service starts, what surrounds its functions, and how it ends.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{self, Instant};
use tower_http::catch_panic::CatchPanicLayer;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};
use utoipa_swagger_ui::SwaggerUi;

use crate::app::{App, AppState};
use crate::auth::Tokens;
use crate::ceph::Ceph;
use crate::config::{Error, Settings};
use crate::limits::Limits;
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::problem::Problem;
use crate::reload::Reloader;
use crate::tls::Tls;
use crate::transfers::Transfers;
use crate::{access, api, health, metrics, ui};

/// Has the settings' log filter hold.
pub type SetLog = Box<dyn Fn(&Settings) -> Result<(), Error> + Send + Sync>;

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let set_log = start_log(&settings)?;
    let tokens = Tokens::load(&settings)?;
    if settings.insecure_no_auth {
        tracing::warn!("no tokens are asked for: everybody who reaches this may do everything");
    }
    let tls = Tls::load(&settings)?;
    let (end, ending) = watch::channel(false);
    let app = new_app(settings, tokens, ending);
    let address = app.settings.load().listen;
    let listener = Listener::bind(address, tls.clone(), Arc::clone(&app), router(&app))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(Reloader::new(Arc::clone(&app), tls, set_log).run());
    tracing::info!("listening on {}", listener.url()?);
    let (close, closing) = watch::channel(false);
    let serving = tokio::spawn(listener.serve(closing));

    let drain = tokio::select! {
        _ = terminate.recv() => app.settings.load().drain,
        // Nobody sends requests here on behalf of others.
        _ = interrupt.recv() => Duration::ZERO,
    };
    let grace = app.settings.load().grace;
    let limit = Instant::now() + grace;
    tracing::info!("ending: what is in flight may go on for {grace:?}");
    end.send_replace(true);
    time::sleep(drain.min(grace / 2)).await;
    close.send_replace(true);
    if time::timeout_at(limit, serving).await.is_err() {
        tracing::warn!("some requests have not ended within {grace:?}");
    }
    app.operations.end(limit).await;
    app.ceph.close().await;
    tracing::info!("ended");
    Ok(())
}

fn new_app(settings: Settings, tokens: Tokens, ending: watch::Receiver<bool>) -> AppState {
    let transfers = Transfers::new(&settings);
    let settings = Arc::new(ArcSwap::from_pointee(settings));
    let ceph = Ceph::start(&settings);
    let (operations, limits) = (Operations::default(), Limits::default());
    Arc::new(App {
        metrics: Metrics::new(&ceph, &operations, &limits),
        ceph,
        tokens,
        operations,
        limits,
        transfers,
        ending,
        settings,
    })
}

fn router(app: &AppState) -> Router {
    let (api, document) = api::router(app);
    let router = Router::new()
        .merge(api)
        .merge(health::router())
        .merge(metrics::router())
        .merge(ui::router())
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            let (status, name) = (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed");
            Problem::new(status, name, "not this method here")
        })
        .with_state(Arc::clone(app))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document));
    surrounded(router, app)
}

/// The router, with what surrounds every request.
fn surrounded(router: Router, app: &AppState) -> Router {
    let observe = middleware::from_fn_with_state(Arc::clone(app), access::observe);
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(observe)
}

/// The panic's message is in the log only.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    let (status, name) = (StatusCode::INTERNAL_SERVER_ERROR, "internal-error");
    Problem::new(status, name, "the service has a fault; its log says more").into_response()
}

fn start_log(settings: &Settings) -> Result<SetLog, Error> {
    let (filter_layer, handle) = reload::Layer::new(filter(settings)?);
    let lines = tracing_subscriber::fmt::layer();
    let lines = match settings.log_json {
        true => lines.json().boxed(),
        false => lines.boxed(),
    };
    Registry::default().with(lines).with(filter_layer).init();
    Ok(Box::new(move |new| Ok(handle.reload(filter(new)?)?)))
}

fn filter(settings: &Settings) -> Result<EnvFilter, Error> {
    match &settings.log {
        Some(text) => EnvFilter::try_new(text).map_err(|error| format!("log: {error}").into()),
        None => Ok(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::routing::get;
    use clap::Parser;
    use tower::ServiceExt;

    use crate::config::Cli;

    #[tokio::test]
    async fn a_panic_is_answered_and_counted() {
        // There is no cluster, and none is needed.
        let args = [
            "x",
            "--insecure-no-auth",
            "--ceph-conf",
            "/dev/null",
            "--deadline",
            "0.1",
        ];
        let settings = Cli::parse_from(args).settings;
        let tokens = Tokens::load(&settings).unwrap();
        let app = new_app(settings, tokens, watch::channel(false).1);
        let routes = Router::new().route("/fault", get(async || -> () { panic!("a secret") }));
        let service = surrounded(routes, &app);
        let request = Request::get("/fault").body(Body::empty()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("fault") && !text.contains("secret"), "{text}");
        assert_eq!(app.metrics.in_flight.get(), 0);
    }
}
