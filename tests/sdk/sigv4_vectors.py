"""Signatures of Amazon's own signer, for the golden values of `src/sim/identity/sigv4.rs` and
`src/upstream/credentials/aws/sign.rs`: prints one line a request. Needs botocore.

    python sigv4_vectors.py
"""

import datetime

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.timezone.utc)
HOST = "bedrock-runtime.us-east-1.amazonaws.com"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MODEL = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
CASES = [
    (f"{MODEL}/invoke-with-response-stream", b'{"anthropic_version":"bedrock-2023-05-31"}', "AQoDYXdzEPT//wEXAMPLE=="),
    (f"{MODEL}/converse?b=2&a=%20x", b"{}", None),
]


def signature(path, body, token):
    signer = botocore.auth.SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, token), "bedrock", "us-east-1")
    request = AWSRequest("POST", f"https://{HOST}{path}", headers={"content-type": "application/json"}, data=body)
    signer.add_auth(request)
    return request.headers["Authorization"]


# What the signer asks for the time.
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW

for case in CASES:
    print(case[0], signature(*case))
