//! What all lists are answered in.

use serde::Serialize;
use utoipa::ToSchema;

/// A list.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    /// What it is a list of.
    #[serde(rename = "Kind")]
    #[schema(value_type = String, example = "PoolList")]
    kind: &'static str,
    /// The version of the API.
    #[serde(rename = "APIVersion")]
    #[schema(value_type = String, example = "v1")]
    api_version: &'static str,
    /// What is in it, or in this page of it.
    #[serde(rename = "Items")]
    items: Vec<T>,
    /// The parameter `continue` of the request for the next page, if there is one.
    #[serde(rename = "Continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> List<T> {
    /// All of it.
    pub fn new(kind: &'static str, items: Vec<T>) -> Self {
        Self::page(kind, items, None)
    }

    /// A page of it.
    pub fn page(kind: &'static str, items: Vec<T>, next: Option<String>) -> Self {
        Self {
            kind,
            api_version: "v1",
            items,
            next,
        }
    }
}
