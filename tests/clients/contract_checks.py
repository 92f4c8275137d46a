"""What schemathesis checks besides: an upstream may refuse what no schema can tell it refuses, the host may not."""

import schemathesis


@schemathesis.check
def only_an_upstream_refuses_valid_data(ctx, response, case):
    """The simulators' own refusals are JSON of theirs, the host's are problems."""
    generated = case.meta is not None and case.meta.generation.mode.is_positive
    if generated and "urn:airlock:problem:invalid-input" in response.text:
        raise AssertionError(f"the host refuses what its document allows: {response.text}")
