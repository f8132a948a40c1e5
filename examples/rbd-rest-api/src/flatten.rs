//! Flattening that may be interrupted.
//!
//! Where a flatten ends in the middle, objects may stand in the image's object map that were not written any more,
//! and until Ceph 18.2.5 and 19.2.1 the next flatten leaves out what stands there: it would read as zeros from then
//! on. So a mark in the image's metadata tells of a flatten that has not come to its end, and the next one does
//! without the map. When it is done, the map is made anew.

use rados::ErrorKind;
use rbd::{Features, Image};

use crate::exclusive;
use crate::operations::Progress;
use crate::problem::Result;

/// The metadata's key. The value is empty, or has the features that are disabled until the image is flat.
const MARK: &str = "rbd_rest_api.flatten";

/// Whether a flatten has not come to its end.
pub fn is_unfinished(image: &Image) -> rados::Result<bool> {
    mark(image).map(|mark| mark.is_some())
}

/// Flattens the image, and does what an earlier flatten has left to do.
pub fn flatten(image: &Image, progress: &Progress) -> Result<()> {
    let _kept = exclusive::keep(image)?;
    let maps = Features::OBJECT_MAP | Features::FAST_DIFF;
    let before = mark(image)?;
    let without = match &before {
        None => Features::empty(),
        Some(mark) => mark.parse::<Features>()? | (image.features()? & maps),
    };
    image.metadata_set(MARK, without.to_string())?;
    image.disable_features(without)?;
    if before.is_none() || image.parent()?.is_some() {
        let flattened = image.flatten_with_progress(|done, total| progress.at(done, total));
        if let Err(error) = flattened {
            // Nothing was being written then.
            if error.kind() == ErrorKind::Canceled && before.is_none() {
                image.metadata_remove(MARK)?;
            }
            return Err(error.into());
        }
    }
    if !without.is_empty() {
        image.enable_features(without)?;
        image.rebuild_object_map_with_progress(|done, total| progress.at(done, total))?;
    }
    Ok(image.metadata_remove(MARK)?)
}

fn mark(image: &Image) -> rados::Result<Option<String>> {
    match image.metadata_get(MARK) {
        Ok(mark) => Ok(Some(mark.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
