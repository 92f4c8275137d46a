//! How far a call has come with the agreement of the person behind its client, where the grant wants one.
//!
//! Who has to agree is the grant's, what an agreement is good for is decided in `invoke`. A client gets a consent in its hands
//! sealed, or not at all.

/// How far a call has come with a person's agreement. Like a plugin's state it travels with the questions, and comes back with the
/// answers: whoever lets it out of the process sees to it that it comes back unchanged, for the same call of the same caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Nobody has been asked.
    #[default]
    Unasked,
    /// The host's question is on its way.
    Asked(Ticket),
    /// The person has agreed.
    Given(Ticket),
}

/// What makes an agreement good for one call: a number that is used once, in the book of one loaded plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Whose number it is.
    pub book: u64,
    /// The number.
    pub number: u64,
}

/// Why a call is not carried out that somebody had to agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// The person said no.
    #[error("not carried out: the person who was asked said no; don't call again unless they ask for it")]
    Declined,
    /// The person hasn't decided.
    #[error("not carried out: the person who was asked closed the question without an answer")]
    Cancelled,
    /// The answer has been used.
    #[error(
        "not carried out: an answer is good for one call, and this one has been used; call without requestState and inputResponses, \
         and the person is asked anew"
    )]
    Used,
}
