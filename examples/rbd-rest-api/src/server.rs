//! The listener, and what surrounds every request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;
use tracing_subscriber::EnvFilter;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::{App, AppState};
use crate::auth::Tokens;
use crate::ceph::Ceph;
use crate::config::{Error, Settings};
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::problem::Problem;
use crate::{api, health, metrics, ui};

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn run(settings: Settings) -> Result<(), Error> {
    start_log(settings.log_json);
    let tokens = Tokens::load(&settings)?;
    if settings.insecure_no_auth {
        tracing::warn!("no tokens are asked for: everybody who reaches this may do everything");
    }
    let tls = load_tls(&settings).await?;
    let app = Arc::new(App {
        ceph: Ceph::start(&settings),
        tokens,
        operations: Operations::default(),
        metrics: Metrics::default(),
        settings: settings.clone(),
    });
    let handle = Handle::new();
    tokio::spawn(shut_down(handle.clone(), settings.grace));
    let service = router(&app).into_make_service();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listener = std::net::TcpListener::bind(settings.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    listener.set_nonblocking(true)?;
    tracing::info!("listening on {scheme}://{}", listener.local_addr()?);
    match tls {
        Some(tls) => {
            axum_server::from_tcp_rustls(listener, tls)?
                .handle(handle)
                .serve(service)
                .await?
        }
        None => {
            axum_server::from_tcp(listener)?
                .handle(handle)
                .serve(service)
                .await?
        }
    }
    tracing::info!("ended");
    Ok(())
}

fn router(app: &AppState) -> Router {
    let (api, document) = api::router(app);
    Router::new()
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
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http())
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    match json {
        true => log.json().init(),
        false => log.init(),
    }
}

async fn load_tls(settings: &Settings) -> Result<Option<RustlsConfig>, Error> {
    let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else {
        return Ok(None);
    };
    // It may have been set before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = RustlsConfig::from_pem_file(cert, key).await;
    let config = config.map_err(|e| format!("{} and {}: {e}", cert.display(), key.display()))?;
    Ok(Some(config))
}

async fn shut_down(handle: Handle<std::net::SocketAddr>, grace: Duration) {
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime has signals");
    let mut interrupt = signal(SignalKind::interrupt()).expect("the runtime has signals");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending: requests in flight may go on for {grace:?}");
    handle.graceful_shutdown(Some(grace));
}
