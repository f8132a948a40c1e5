//! Image information as `rbd info --format json` prints it.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

use crate::{Features, ImageInfo, ParentInfo};

impl Serialize for ImageInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("size", &self.size)?;
        map.serialize_entry("objects", &self.objects)?;
        map.serialize_entry("order", &self.order.get())?;
        map.serialize_entry("object_size", &self.object_size)?;
        if let Some(pool) = &self.data_pool {
            map.serialize_entry("data_pool", pool)?;
        }
        map.serialize_entry("snapshot_count", &self.snapshot_count)?;
        map.serialize_entry("block_name_prefix", &self.block_name_prefix)?;
        map.serialize_entry("format", &self.format)?;
        if self.format > 1 {
            map.serialize_entry("features", &self.features.names().collect::<Vec<_>>())?;
            map.serialize_entry("op_features", &self.op_features.names().collect::<Vec<_>>())?;
            map.serialize_entry("flags", &self.flags.names().collect::<Vec<_>>())?;
        }
        if let Some(group) = &self.group {
            let spec = match &*group.pool_namespace {
                "" => format!("{}/{}", group.pool, group.name),
                namespace => format!("{}/{namespace}/{}", group.pool, group.name),
            };
            map.serialize_entry("group", &spec)?;
        }
        for (key, time) in [
            ("create_timestamp", self.create_timestamp),
            ("access_timestamp", self.access_timestamp),
            ("modify_timestamp", self.modify_timestamp),
        ] {
            if let Some(time) = time {
                map.serialize_entry(key, &ctime(time).map_err(S::Error::custom)?)?;
            }
        }
        if let Some(protected) = self.protected {
            map.serialize_entry("protected", if protected { "true" } else { "false" })?;
        }
        if let Some(limit) = self.snapshot_limit {
            map.serialize_entry("snapshot_limit", &limit)?;
        }
        if let Some(parent) = &self.parent {
            map.serialize_entry("parent", parent)?;
        }
        if self.features.contains(Features::STRIPING) {
            map.serialize_entry("stripe_unit", &self.stripe_unit)?;
            map.serialize_entry("stripe_count", &self.stripe_count)?;
        }
        map.end()
    }
}

impl Serialize for ParentInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("pool", &self.pool)?;
        map.serialize_entry("pool_namespace", &self.pool_namespace)?;
        map.serialize_entry("image", &self.image)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("snapshot", &self.snapshot)?;
        map.serialize_entry("trash", &self.trash)?;
        map.serialize_entry("overlap", &self.overlap)?;
        map.end()
    }
}

/// Local time in the form of C's `ctime`.
fn ctime(time: SystemTime) -> Result<String, jiff::Error> {
    let zoned = Timestamp::try_from(time)?.to_zoned(TimeZone::system());
    Ok(zoned.strftime("%a %b %e %H:%M:%S %Y").to_string())
}
