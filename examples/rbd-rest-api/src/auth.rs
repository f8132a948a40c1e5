//! Who may do what: bearer tokens with roles.
//!
//! The file of tokens has a line for each, `NAME ROLE SHA256-IN-HEX`, so that it tells nobody the tokens. These
//! are long and random, made by `rbd-rest-api token`, so a plain hash is enough.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::AppState;
use crate::config::{Error, Settings};
use crate::hex;
use crate::problem::Problem;

/// What a token may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// Look at everything and download
    Read,
    /// Make, change and remove images, snapshots and namespaces, and upload
    Write,
    /// Make and delete pools
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        })
    }
}

type Hash = [u8; 32];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    name: Arc<str>,
    role: Role,
    hash: Hash,
}

/// The tokens that are known; none: everybody may do everything.
pub struct Tokens(ArcSwapOption<Vec<Token>>);

/// Who makes a request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub name: Arc<str>,
    pub role: Role,
}

impl Tokens {
    /// Reads the file of tokens, if one is set or needed.
    pub fn load(settings: &Settings) -> Result<Self, Error> {
        if settings.tokens.is_none() && !settings.insecure_no_auth {
            return Err(
                "no tokens are known: name their file with --tokens, or let everybody do \
                 everything with --insecure-no-auth"
                    .into(),
            );
        }
        let this = Self(ArcSwapOption::empty());
        this.reload(settings)?;
        Ok(this)
    }

    /// Reads the file again; if that fails, what was known stays.
    pub fn reload(&self, settings: &Settings) -> Result<(), Error> {
        if let Some(path) = &settings.tokens {
            self.0.store(Some(Arc::new(read(path)?)));
        }
        Ok(())
    }

    /// Whose token the request bears.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let Some(known) = &*self.0.load() else {
            return Ok(Caller {
                name: "everybody".into(),
                role: Role::Admin,
            });
        };
        let unauthorized = |detail| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
        let given = headers
            .get(header::AUTHORIZATION)
            .ok_or_else(|| unauthorized("there is no header Authorization: Bearer TOKEN"))?;
        let (scheme, token) = given
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .ok_or_else(|| unauthorized("the header is not Authorization: Bearer TOKEN"))?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized(
                "the header is not Authorization: Bearer TOKEN",
            ));
        }
        let hash: Hash = Sha256::digest(token.trim()).into();
        // All are looked at, in constant time each.
        let found = known.iter().fold(None, |found, token| {
            let same: bool = token.hash.ct_eq(&hash).into();
            if same { Some(token) } else { found }
        });
        found
            .map(|token| Caller {
                name: Arc::clone(&token.name),
                role: token.role,
            })
            .ok_or_else(|| unauthorized("the token is not known"))
    }
}

/// Lets a request through whose token is known, and may read or, for a method that changes things, write.
pub async fn authenticate(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = app.tokens.caller(request.headers())?;
    let needed = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => Role::Read,
        _ => Role::Write,
    };
    let mut response = match caller.must_be(needed) {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    // For the log.
    response.extensions_mut().insert(caller);
    Ok(response)
}

impl Caller {
    fn must_be(&self, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        let detail = format!(
            "the token {} has the role {}; this takes the role {needed}",
            self.name, self.role
        );
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }
}

/// The caller is an admin.
pub struct Admin;

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>();
        let caller = caller.expect("the request came through `authenticate`");
        caller.must_be(Role::Admin).map(|()| Self)
    }
}

fn read(path: &Path) -> Result<Vec<Token>, Error> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim()));
    let tokens = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let tokens = tokens.map(|(n, line)| {
        let parsed = line.parse::<Token>();
        parsed.map_err(|why| format!("{}, line {n}: {why}", path.display()).into())
    });
    let tokens = tokens.collect::<Result<Vec<_>, Error>>()?;
    match tokens.is_empty() {
        true => Err(format!("{} has no token", path.display()).into()),
        false => Ok(tokens),
    }
}

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, role, hash] = words[..] else {
            return Err("it is not NAME ROLE SHA256");
        };
        Ok(Self {
            name: name.into(),
            role: Role::from_str(role, false)
                .map_err(|_| "the role is none of read, write, admin")?,
            hash: from_hex(hash).ok_or("the third word is not 64 digits of hex")?,
        })
    }
}

fn from_hex(text: &str) -> Option<Hash> {
    hex::decode(text)?.try_into().ok()
}

/// Prints a new token, and its line for the file.
pub fn print_new_token(name: &str, role: Role) -> Result<(), Error> {
    if name.is_empty() || name.starts_with('#') || name.contains(char::is_whitespace) {
        return Err(format!("{name:?} cannot be a token's name").into());
    }
    let mut random = [0; 32];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source
        .fill(&mut random)
        .map_err(|_| "the system has no random numbers")?;
    let token = hex::encode(random);
    eprintln!("The token, which is not shown again:");
    println!("{token}");
    eprintln!("Its line for the file of tokens:");
    println!("{name} {role} {}", hex::encode(Sha256::digest(&token)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_file_are_understood_or_refused() {
        let hash = "0".repeat(63) + "a";
        let token: Token = format!("ci write {hash}").parse().unwrap();
        assert_eq!((&*token.name, token.role), ("ci", Role::Write));
        assert_eq!(token.hash[31], 10);
        for wrong in [
            "ci",
            "ci write",
            "ci root 00",
            "ci read 0g",
            &format!("ci read {hash}0"),
        ] {
            wrong.parse::<Token>().unwrap_err();
        }
    }

    #[test]
    fn a_role_may_do_what_lesser_ones_may() {
        assert!(Role::Admin > Role::Write && Role::Write > Role::Read);
    }
}
