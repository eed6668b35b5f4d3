"""A store with the S3 interface in a process: moto's, with one user, whose requests' signatures it checks.

python -m tests.support.s3_process PORT ACCESS_KEY_ID SECRET_ACCESS_KEY BUCKET
"""

from __future__ import annotations

import json
import sys

from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import AccessKey, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

ALL_OF_S3 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def main() -> None:
    """Serves until the process is ended; what is stored is in its memory."""
    port, access_key_id, secret, bucket = sys.argv[1:]
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0  # every request is checked
    users = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    user = users.create_user("us-east-1", "owner")
    users.put_user_policy("owner", "all", json.dumps(ALL_OF_S3))
    key = AccessKey("owner", "AKIA", DEFAULT_ACCOUNT_ID)
    key.access_key_id, key.secret_access_key = access_key_id, secret
    user.access_keys.append(key)
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, "us-east-1")
    app = DomainDispatcherApplication(create_backend_app)
    make_server("127.0.0.1", int(port), app, threaded=True, request_handler=MotoRequestHandler).serve_forever()


if __name__ == "__main__":
    main()
