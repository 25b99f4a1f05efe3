-- Who has called before: a number stands in From URIs of one shape, so that a range of them is that number's calls.
CREATE INDEX calls_by_caller ON calls (from_uri, started_at);
