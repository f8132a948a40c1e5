//! What is different in images, as `rbd export-diff` writes it and `rbd import-diff` reads it.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rbd::{DiffFileError, ExportDiff, Image, ImportDiff, Shrink};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::Content;
use super::images::{ImageParts, empty_is_none, open_to_look};
use crate::app::AppState;
use crate::exclusive;
use crate::extract::{Json, Path, Query};
use crate::names::Name;
use crate::problem::{Problem, Problems, Result};
use crate::transfers::{IntakeError, OutletWriter};

/// How much the library reads or writes at once.
const PIECE: usize = 4 << 20;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(export))
        .routes(routes!(import))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// A namespace of the pool; the one without a name by default.
    #[serde(default, deserialize_with = "empty_is_none")]
    namespace: Option<Name>,
    /// The snapshot that the differences lead to, instead of the image as it is now.
    snapshot: Option<Name>,
    /// The snapshot that they start from, instead of from nothing.
    from_snapshot: Option<Name>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    /// A namespace of the pool; the one without a name by default.
    #[serde(default, deserialize_with = "empty_is_none")]
    namespace: Option<Name>,
    /// Whether the image may become smaller, which destroys what lies past the new end.
    #[serde(default)]
    allow_shrink: bool,
}

/// What was imported.
#[derive(Serialize, ToSchema)]
struct Imported {
    /// The image's size now, in bytes.
    size: u64,
    /// The snapshot that it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_snapshot: Option<String>,
    /// The snapshot that has been taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
}

/// Download what is different in an image
///
/// The same as `rbd export-diff` writes. When it cannot be completed the connection is broken off.
#[utoipa::path(
    get,
    path = "/pools/{pool}/images/{image}/export",
    tag = "data",
    params(ImageParts, ExportQuery),
    responses(
        (status = 200, description = "The differences", body = Content, content_type = "application/vnd.ceph.rbd-diff"),
        Problems,
    ),
)]
async fn export(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<ExportQuery>,
) -> Result<Response> {
    let transfer = app.transfers.begin()?;
    let place = path.place(query.namespace);
    let image = app.ceph.in_pool(&place, move |ioctx| {
        let snapshot = query.snapshot.as_deref();
        Ok(open_to_look(ioctx, &path.image, snapshot)?)
    });
    let image = image.await?;
    let mut how = ExportDiff::new().depth(transfer.depth(PIECE));
    if let Some(from) = query.from_snapshot {
        how = how.from_snap(from);
    }
    let (outlet, mut pieces) = transfer.outlet();
    let ceph = app.ceph.clone();
    tokio::spawn(async move {
        let mut writer = outlet.into_writer();
        let work = rados::blocking(move || {
            let exported = how.export(&image, &mut writer).map(|_| ());
            (exported.and(image.close()), writer)
        });
        let (exported, writer): (rbd::Result<()>, OutletWriter) = work.await;
        match exported.map_err(Problem::from) {
            Ok(()) => writer.finish().await,
            Err(problem) => {
                tracing::warn!("an export is broken off: {}", problem.detail());
                ceph.look_at(&problem);
                writer.break_off(problem).await;
            }
        }
        drop(transfer);
    });
    // As long as nothing has been sent it can still be refused.
    let first = pieces.first().await?;
    let kind = HeaderValue::from_static("application/vnd.ceph.rbd-diff");
    Ok(([(header::CONTENT_TYPE, kind)], pieces.into_body(first)).into_response())
}

/// Apply to an image what is different
///
/// The body is what an export, or `rbd export-diff`, gave. The image must be as it was in the snapshot that it starts
/// from; the snapshot that it leads to is taken.
#[utoipa::path(
    post,
    path = "/pools/{pool}/images/{image}/import",
    tag = "data",
    params(ImageParts, ImportQuery),
    request_body(content = Content, content_type = "application/vnd.ceph.rbd-diff"),
    responses((status = 200, body = Imported), Problems),
)]
async fn import(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<ImportQuery>,
    body: Body,
) -> Result<Json<Imported>> {
    let transfer = app.transfers.begin()?;
    let place = path.place(query.namespace);
    let image = app
        .ceph
        .in_pool(&place, move |ioctx| Ok(Image::open(ioctx, &path.image)?));
    let intake = transfer.intake(body);
    let image = match image.await {
        Ok(image) => image,
        Err(problem) => {
            intake.discard();
            return Err(problem);
        }
    };
    let shrink = match query.allow_shrink {
        true => Shrink::Allow,
        false => Shrink::Deny,
    };
    let how = ImportDiff::new()
        .shrink(shrink)
        .depth(transfer.depth(PIECE));
    let mut reader = io::BufReader::new(intake.into_reader());
    // It goes on to its end when the client has gone and this is dropped.
    let imported = rados::blocking(move || {
        let kept = exclusive::keep(&image);
        let imported = kept.and_then(|_kept| how.import(&image, &mut reader));
        if imported.is_err() {
            reader.into_inner().into_intake().discard();
        }
        let closed = image.close();
        drop(transfer);
        closed.and(imported)
    });
    let header = imported.await.map_err(|error| {
        let problem = refused(error);
        app.ceph.look_at(&problem);
        problem
    })?;
    Ok(Json(Imported {
        size: header.size,
        from_snapshot: header.from_snap,
        snapshot: header.to_snap,
    }))
}

/// Why an import failed: what the body is, or what it does not bring, or what Ceph says.
fn refused(error: rados::Error) -> Problem {
    let cause = error.cause::<io::Error>().and_then(io::Error::get_ref);
    if let Some(IntakeError(problem)) = cause.and_then(|cause| cause.downcast_ref()) {
        return problem.clone().with(error);
    }
    match error.cause::<DiffFileError>() {
        Some(_) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-diff",
            error.to_string(),
        ),
        None => error.into(),
    }
}
