//! What a plugin wants to be asked of a token endpoint. Whether the host asks it is the operator's decision.

/// The client credentials grant of RFC 6749, section 4.4, without the client's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The endpoint, `scheme://host[:port]/path[?query]`.
    pub url: String,
    /// The client's name there, in which `{{NAME}}` stands for a secret.
    pub client_id: String,
    /// What the token shall be good for, as a list with spaces.
    pub scope: Option<String>,
    /// For which API the token shall be.
    pub audience: Option<String>,
    /// The address of that API (RFC 8707).
    pub resource: Option<String>,
}
