use std::time::{SystemTime, UNIX_EPOCH};

use ring::hmac;

use crate::Error;

/// Signs a user for Intercom's Messenger: returns the hexadecimal HMAC-SHA256 of the customer id, or of the email of a user
/// without one, for a page to pass to the Messenger as `user_hash`. The secret is the workspace's Messenger API secret.
///
/// White space around the customer id is not signed, since the page does not send it either.
///
/// # Errors
///
/// [`Error::Configuration`] if the customer id or the secret is empty.
pub fn user_hash(customer_id: &str, secret: &str) -> Result<String, Error> {
    Ok(sign(customer_id.trim(), secret)?.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Signs a user for Intercom's Messenger: returns a JSON Web Token (HS256) with the claims `user_id`, `exp` and, if it is not
/// empty, `email`, for a page to pass to the Messenger as `intercom_user_jwt`. An hour is a usual expiry.
///
/// # Errors
///
/// [`Error::Configuration`] if the customer id or the secret is empty.
pub fn user_jwt(customer_id: &str, email: &str, secret: &str, expires: SystemTime) -> Result<String, Error> {
    let customer_id = customer_id.trim();
    if customer_id.is_empty() {
        return Err(empty_customer_id());
    }
    let email = if email.is_empty() { String::new() } else { format!(r#""email":{},"#, json_text(email)) };
    let seconds = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = format!(r#"{{"user_id":{},{email}"exp":{seconds}}}"#, json_text(customer_id));
    let unsigned = format!("{}.{}", base64_url(br#"{"alg":"HS256","typ":"JWT"}"#), base64_url(claims.as_bytes()));
    let signature = sign(&unsigned, secret)?;
    Ok(format!("{unsigned}.{}", base64_url(signature.as_ref())))
}

fn sign(message: &str, secret: &str) -> Result<hmac::Tag, Error> {
    if message.is_empty() {
        return Err(empty_customer_id());
    }
    if secret.is_empty() {
        return Err(Error::Configuration("secret is empty: set the Messenger API secret of the workspace".into()));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    Ok(hmac::sign(&key, message.as_bytes()))
}

fn empty_customer_id() -> Error {
    Error::Configuration("customer id is empty: sign the id of a signed-in user".into())
}

/// Returns a text as JSON (RFC 8259, section 7: quotation mark, reverse solidus and control characters are escaped).
fn json_text(text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1f' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}

/// Returns base64 for URLs without padding (RFC 4648, section 5).
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The cases are those of the other languages.
    #[test]
    fn user_is_signed() {
        let cases: serde_json::Value = serde_json::from_str(include_str!("../../cases/signing.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let text = |name: &str| case[name].as_str().unwrap_or_default();
            let expires =
                UNIX_EPOCH + Duration::from_millis(case["expires"].as_u64().unwrap_or_default() * 1_000 + 999);
            let signed = match text("kind") {
                "user_hash" => user_hash(text("customerId"), text("secret")),
                _ => user_jwt(text("customerId"), text("email"), text("secret"), expires),
            };
            assert_eq!(signed.ok().as_deref(), case["signed"].as_str(), "{case}");
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(json_text("a\n\u{1}\"\\"), r#""a\u000a\u0001\"\\""#);
    }
}
