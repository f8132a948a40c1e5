//! How constants and enums of the C headers are written down. Each macro also makes the list that the
//! tests compare with the installed header, so there is no second list.

/// Integer constants, each with the type that the functions taking it have.
#[doc(hidden)]
#[macro_export]
macro_rules! constants {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $type = $value;)+

        #[doc(hidden)]
        pub const CONSTANTS: &[(&str, i128)] = &[$((stringify!($name), $name as i128)),+];
    };
}

/// String constants.
#[doc(hidden)]
#[macro_export]
macro_rules! strings {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &::core::ffi::CStr = $value;)+

        #[doc(hidden)]
        pub const STRINGS: &[(&str, &::core::ffi::CStr)] = &[$((stringify!($name), $name)),+];
    };
}

/// C enums. They are open, a newer library may return a value that is not listed, so each is a
/// transparent integer and its values are constants.
#[doc(hidden)]
#[macro_export]
macro_rules! enums {
    ($($(#[doc = $doc:literal])+ $type:ident: $repr:ty {
        $($(#[doc = $value_doc:literal])+ $name:ident = $value:literal,)+
    })+) => {
        $(
            $(#[doc = $doc])+
            #[repr(transparent)]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $type(pub $repr);

            $($(#[doc = $value_doc])+ pub const $name: $type = $type($value);)+
        )+

        #[doc(hidden)]
        pub const ENUMS: &[(&str, i128)] = &[$($((stringify!($name), $name.0 as i128)),+),+];

        #[doc(hidden)]
        pub const ENUM_SIZES: &[(&str, usize)] = &[$((stringify!($type), ::core::mem::size_of::<$type>())),+];
    };
}
