//! Namespaces of a pool.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use rados::IoCtx;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::List;
use super::pools::PoolParts;
use crate::app::AppState;
use crate::extract::{Json, Path};
use crate::idempotency;
use crate::names::Name;
use crate::problem::{Problem, Problems, Result};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(remove))
}

/// A namespace.
#[derive(Serialize, ToSchema)]
struct Namespace {
    #[schema(example = "team1")]
    name: String,
}

/// A namespace to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNamespace {
    name: Name,
}

/// The namespace in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct NamespaceParts {
    /// The pool's name.
    pool: Name,
    /// The namespace's name.
    namespace: Name,
}

/// List the namespaces of a pool
///
/// The one without a name, which every pool has, is not among them.
#[utoipa::path(get, path = "/pools/{pool}/namespaces", tag = "namespaces", params(PoolParts), responses((status = 200, body = List<Namespace>), Problems))]
async fn list(
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
) -> Result<Json<List<Namespace>>> {
    let list = |ioctx: &IoCtx| Ok(rbd::namespace_list(ioctx)?);
    let mut names = app.ceph.in_pool(&path.place(), list).await?;
    names.sort_unstable();
    let items = names.into_iter().map(|name| Namespace { name }).collect();
    Ok(Json(List::new("NamespaceList", items)))
}

/// Make a namespace
#[utoipa::path(post, path = "/pools/{pool}/namespaces", tag = "namespaces", params(PoolParts), request_body = NewNamespace, responses((status = 201, body = Namespace), Problems))]
async fn create(
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
    Json(new): Json<NewNamespace>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Namespace>)> {
    let (in_pool, in_url) = (path.pool.in_url(), new.name.in_url());
    let location = format!("/api/v1/pools/{in_pool}/namespaces/{in_url}");
    let create = move |ioctx: &IoCtx| {
        rbd::namespace_create(ioctx, &new.name)?;
        Ok(Namespace {
            name: new.name.into(),
        })
    };
    let made = app.ceph.in_pool(&path.place(), create).await?;
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(made)))
}

/// Remove a namespace that has no images
#[utoipa::path(delete, path = "/pools/{pool}/namespaces/{namespace}", tag = "namespaces", params(NamespaceParts), responses((status = 204), Problems))]
async fn remove(
    State(app): State<AppState>,
    Path(path): Path<NamespaceParts>,
) -> Result<StatusCode> {
    let NamespaceParts { pool, namespace } = path;
    let place = PoolParts { pool }.place();
    let remove = move |ioctx: &IoCtx| {
        rbd::namespace_remove(ioctx, &namespace)?;
        idempotency::forget(&ioctx.with_namespace(&namespace)?)
    };
    app.ceph.in_pool(&place, remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a namespace that has not been made; to Ceph it has no images.
pub fn must_exist(ioctx: &IoCtx) -> Result<()> {
    let namespace = ioctx.namespace();
    if namespace.is_empty() || rbd::namespace_exists(ioctx, namespace)? {
        return Ok(());
    }
    let pool = ioctx.pool_name()?;
    let detail = format!("the pool {pool} has no namespace {namespace}");
    Err(Problem::not_found(detail))
}
