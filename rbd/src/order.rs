//! The size of an image's objects.

use std::fmt;
use std::ops::RangeInclusive;

use rados::{Error, Result};

/// An image's order: the base-2 logarithm of the size in bytes of its objects.
///
/// Only 12 to 25 are valid, for objects of 4 KiB to 32 MiB; the default is 22, for 4 MiB. The
/// image's own size has nothing to do with it.
///
/// ```
/// use rbd::Order;
///
/// let order = Order::new(20)?;
/// assert_eq!(order.object_size(), 1 << 20);
/// assert_eq!(order, Order::from_object_size(1 << 20)?);
/// assert!(Order::new(10).is_err());
/// # Ok::<(), rbd::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(u8);

impl Order {
    /// Every valid order.
    pub const RANGE: RangeInclusive<u8> = 12..=25;

    /// The order of an image for which none is asked: 22, unless the option `rbd_default_order` is
    /// set.
    pub const DEFAULT: Self = Self(22);

    /// The order with this number.
    ///
    /// # Errors
    /// `OutOfDomain` outside 12..=25.
    pub fn new(order: u8) -> Result<Self> {
        if Self::RANGE.contains(&order) {
            Ok(Self(order))
        } else {
            Err(out_of_range(order))
        }
    }

    /// The order of objects with this size in bytes.
    ///
    /// # Errors
    /// `OutOfDomain` for a size that is no power of two, or outside 4 KiB..=32 MiB.
    pub fn from_object_size(bytes: u64) -> Result<Self> {
        let order = bytes.checked_ilog2().filter(|_| bytes.is_power_of_two());
        match order.map(|order| order as u8) {
            Some(order) if Self::RANGE.contains(&order) => Ok(Self(order)),
            _ => Err(out_of_range(format_args!("log2({bytes})"))),
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The size in bytes of an object.
    pub const fn object_size(self) -> u64 {
        1 << self.0
    }

    /// Takes an order that the library gave, whatever it is.
    pub(crate) fn from_c(order: i32) -> Self {
        Self(order as u8)
    }
}

/// What users of EDOM need to know.
pub(crate) const EXPLANATION: &str = "the order must be in 12..=25: it is the base-2 logarithm \
     of the object size in bytes, so objects are of 4 KiB to 32 MiB; the image's size is in bytes";

#[cold]
fn out_of_range(order: impl fmt::Display) -> Error {
    Error::refused(
        "rbd_create4",
        libc::EDOM,
        format!("order {order}: {EXPLANATION}"),
    )
}

impl Default for Order {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u8> for Order {
    type Error = Error;

    fn try_from(order: u8) -> Result<Self> {
        Self::new(order)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Order({} = {} bytes)", self.0, self.object_size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rados::ErrorKind;

    #[test]
    fn only_12_to_25_are_orders() {
        for order in 0..=u8::MAX {
            assert_eq!(
                Order::new(order).is_ok(),
                (12..=25).contains(&order),
                "{order}"
            );
        }
        for size in [0, 1, 4095, 4097, 2048, 1 << 26, u64::MAX, 1 << 63] {
            let error = Order::from_object_size(size).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfDomain, "{size}");
        }
        assert_eq!(Order::from_object_size(1 << 25).unwrap().get(), 25);
    }

    #[test]
    fn the_error_says_range_and_unit() {
        let text = Order::new(10).unwrap_err().to_string();
        for part in ["EDOM", "order 10", "12..=25", "bytes"] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
}
