//! What a refused call fails with.

use std::collections::HashMap;

use serde_json::json;
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetail, StatusExt};

use crate::client::{Failure, print_line};

/// Prints what a call failed with. It is a failure if the call did not fail, or without a reason.
pub fn print_refusal<T>(step: &str, result: Result<Response<T>, Status>) -> Result<(), Failure> {
    let Err(status) = result else {
        return Err(format!("{step}: the call was not refused").into());
    };
    let (mut info, mut fields) = (None, Vec::new());
    for detail in status.check_error_details_vec()? {
        match detail {
            ErrorDetail::ErrorInfo(given) => info = Some(given),
            ErrorDetail::BadRequest(bad) => {
                fields.extend(bad.field_violations.into_iter().map(|each| each.field));
            }
            _ => {}
        }
    }
    let Some(info) = info else {
        return Err(status.into());
    };
    let metadata: HashMap<String, String> = info.metadata;
    let figures = json!({
        "code": code_name(status.code()),
        "domain": info.domain,
        "reason": info.reason,
        "metadata": metadata,
        "fields": fields,
    });
    print_line(step, figures);
    Ok(())
}

/// The name of the gRPC specification: `NOT_FOUND`, where the variant is `NotFound`.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
