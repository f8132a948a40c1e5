//! Sizes as people and Kubernetes write them.

use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

const MIB: u64 = 1 << 20;

/// A number of bytes; or a quantity of Kubernetes: `"1Gi"`, `"1.5G"`, `"512Mi"`, `"1e9"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub u64);

impl Quantity {
    /// The same, rounded up to whole MiB, as Kubernetes' provisioner does; nothing if that is too large.
    pub fn round_up_to_mib(self) -> Option<u64> {
        self.0.checked_next_multiple_of(MIB)
    }
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no = || format!("{text:?} is no quantity: examples are 1073741824, 1Gi, 1.5G, 1e9");
        let too_large = || format!("{text} is more than 2^63 - 1 bytes");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = text.split_at(digits);
        let (fraction, unit) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > 30 {
            return Err(no());
        }
        let unit: u128 = match unit {
            "" => 1,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "T" => 1_000_000_000_000,
            "P" => 1_000_000_000_000_000,
            "E" => 1_000_000_000_000_000_000,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            "Pi" => 1 << 50,
            "Ei" => 1 << 60,
            _ => match unit.strip_prefix(['e', 'E']).map(u32::from_str) {
                Some(Ok(exponent @ 0..=18)) => 10_u128.pow(exponent),
                _ => return Err(no()),
            },
        };
        // Exact, and rounded up, as Kubernetes does it.
        let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| no())?);
        let number: u128 = format!("{whole}{fraction}").parse().map_err(|_| no())?;
        let bytes = number.checked_mul(unit).ok_or_else(too_large)?;
        match u64::try_from(bytes.div_ceil(scale)) {
            Ok(bytes) if i64::try_from(bytes).is_ok() => Ok(Self(bytes)),
            _ => Err(too_large()),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Quantity;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of bytes or a quantity such as \"1Gi\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Quantity, E> {
                match i64::try_from(bytes) {
                    Ok(_) => Ok(Quantity(bytes)),
                    Err(_) => Err(E::custom(format!("{bytes} is more than 2^63 - 1 bytes"))),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl PartialSchema for Quantity {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(0))
            .maximum(Some(i64::MAX));
        let text = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(r"^[0-9]{1,9}(\.[0-9]{1,9})?([kMG]|[KMG]i)?$"));
        let either = OneOfBuilder::new()
            .item(number)
            .item(text)
            .description(Some(
                "A number of bytes, or a quantity of Kubernetes, such as 1Gi or 1.5G",
            ))
            .examples([serde_json::json!("1Gi"), serde_json::json!(1 << 30)]);
        either.into()
    }
}

impl ToSchema for Quantity {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        for (text, bytes) in [
            ("0", 0),
            ("1073741824", 1 << 30),
            ("1Gi", 1 << 30),
            ("1.5Gi", 3 << 29),
            ("1G", 1_000_000_000),
            ("0.1k", 100),
            (".5Ki", 512),
            ("1e9", 1_000_000_000),
            ("1E3", 1_000),
            ("1E", 1_000_000_000_000_000_000),
            ("1.0000000001Ki", 1025),
            ("9223372036854775807", u64::MAX >> 1),
        ] {
            assert_eq!(text.parse(), Ok(Quantity(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "Gi",
            ".",
            "-1",
            "+1",
            "1 Gi",
            "1gi",
            "1GiB",
            "1e",
            "1e19",
            "8Ei",
            "1m",
            "0x10",
            "9223372036854775808",
            "1e400000000000",
            "\u{661}",
        ] {
            text.parse::<Quantity>().unwrap_err();
        }
    }

    #[test]
    fn json_has_numbers_or_texts() {
        let parse = |text| serde_json::from_str::<Quantity>(text);
        assert_eq!(parse("5").unwrap(), Quantity(5));
        assert_eq!(parse("\"5Ki\"").unwrap(), Quantity(5120));
        for wrong in ["-5", "1.5", "null", "[]", "18446744073709551615"] {
            parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn rounding_is_up_and_to_mib() {
        assert_eq!(Quantity(0).round_up_to_mib(), Some(0));
        assert_eq!(Quantity(1).round_up_to_mib(), Some(MIB));
        assert_eq!(Quantity(MIB).round_up_to_mib(), Some(MIB));
    }
}
