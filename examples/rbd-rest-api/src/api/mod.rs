//! The API, version 1.

mod clones;
mod data;
mod diff;
mod image_create;
mod image_list;
mod images;
mod list;
mod namespaces;
mod operations;
mod pools;
mod snapshots;
mod trash;

use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::app::AppState;
use crate::auth;
use crate::config::Error;
use crate::limits;
use crate::problem::Problem;

pub use images::Image;
pub use list::List;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "rbd-rest-api",
        description = "Pools and block device images of a Ceph cluster. Errors are problem documents (RFC 9457).",
    ),
    modifiers(&Bearer),
    security(("token" = [])),
    components(schemas(Problem)),
    tags(
        (name = "pools"),
        (name = "namespaces"),
        (name = "images"),
        (name = "snapshots"),
        (name = "clones"),
        (name = "trash"),
        (name = "data", description = "The content of images"),
        (name = "operations", description = "What takes long, and goes on after the answer"),
    )
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", bearer);
    }
}

/// What is answered at once.
fn requests() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(clones::router())
        .merge(image_create::router())
        .merge(image_list::router())
        .merge(images::router())
        .merge(namespaces::router())
        .merge(operations::router())
        .merge(pools::router())
        .merge(snapshots::router())
        .merge(trash::router())
}

/// Uploads, downloads and whatever else takes the time it takes.
fn streaming() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(data::router())
        .merge(diff::router())
        .merge(operations::streaming())
}

fn nested(
    requests: OpenApiRouter<AppState>,
    streaming: OpenApiRouter<AppState>,
) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", requests.merge(streaming))
}

/// The API and the document that describes it.
pub fn router(app: &AppState) -> (Router<AppState>, utoipa::openapi::OpenApi) {
    let request = middleware::from_fn_with_state(app.clone(), limits::request);
    let stream = middleware::from_fn_with_state(app.clone(), limits::stream);
    let limited = nested(requests().layer(request), streaming().layer(stream));
    let (router, document) = limited.split_for_parts();
    let authenticate = middleware::from_fn_with_state(app.clone(), auth::authenticate);
    (router.layer(authenticate), document)
}

/// Prints the OpenAPI document.
pub fn print_openapi() -> Result<(), Error> {
    println!(
        "{}",
        nested(requests(), streaming())
            .into_openapi()
            .to_pretty_json()?
    );
    Ok(())
}
