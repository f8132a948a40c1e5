//! What [`Image::info`] says where the library, or a feature that is off, leaves something out.

use std::time::SystemTime;

use rados::{ErrorKind, Result};

use crate::image::Image;
use crate::{GroupSpec, OpFeatures, ParentInfo};

/// An answer, or `None` where the running library has no function for it.
#[allow(dead_code, reason = "unused where no capability is on")]
fn known<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        answer => answer.map(Some),
    }
}

impl Image {
    /// The name, or as what the image was opened.
    pub(crate) fn name_or_opened(&self) -> Result<String> {
        #[cfg(feature = "image-info")]
        if let Some(name) = known(self.name())? {
            return Ok(name);
        }
        Ok(self.opened_as().to_owned())
    }

    pub(crate) fn known_op_features(&self) -> Result<OpFeatures> {
        #[cfg(feature = "image-info")]
        if let Some(features) = known(self.op_features())? {
            return Ok(features);
        }
        Ok(OpFeatures::empty())
    }

    pub(crate) fn known_group(&self) -> Result<Option<GroupSpec>> {
        #[cfg(feature = "group")]
        if let Some(group) = known(self.group())? {
            return Ok(group);
        }
        Ok(None)
    }

    pub(crate) fn known_parent(&self) -> Result<Option<ParentInfo>> {
        #[cfg(feature = "image-spec")]
        if let Some(parent) = known(self.parent())? {
            return Ok(parent);
        }
        Ok(None)
    }

    pub(crate) fn known_access_timestamp(&self) -> Result<Option<SystemTime>> {
        #[cfg(feature = "timestamps")]
        if let Some(time) = known(self.access_timestamp())? {
            return Ok(time);
        }
        Ok(None)
    }

    pub(crate) fn known_modify_timestamp(&self) -> Result<Option<SystemTime>> {
        #[cfg(feature = "timestamps")]
        if let Some(time) = known(self.modify_timestamp())? {
            return Ok(time);
        }
        Ok(None)
    }
}
