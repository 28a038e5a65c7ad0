"""A stand-in for a cloud: a store that takes keys of a short life, and the
services that give such keys: an instance's metadata, the endpoint of a
container, STS, the portal of SSO. All of them are one server on loopback.
"""
import base64
import hashlib
import http.server
import json
import os
import threading
import time
import urllib.parse

STATIC = "STATIC"  # an access key that STS takes
ERROR = "<Error><Code>%s</Code><Message>by the stand-in</Message></Error>"
STS = (
    "<%(action)sResponse><%(action)sResult><Credentials>"
    "<AccessKeyId>%(key)s</AccessKeyId>"
    "<SecretAccessKey>secret</SecretAccessKey>"
    "<SessionToken>%(token)s</SessionToken>"
    "<Expiration>%(end)s</Expiration>"
    "</Credentials></%(action)sResult></%(action)sResponse>"
)


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Cloud:
    def __init__(self, life, lie=0, address=("127.0.0.1", 0)):
        """Keys live for so many seconds, and say that they live longer by
        lie."""
        self.life = life
        self.lie = lie
        self.lock = threading.Lock()
        self.ends = {}  # token: time
        self.objects = {}
        self.given = 0
        self.asked = {}  # service: number of keys given
        self.expired = 0  # requests refused as expired
        self.write_only = False  # all but PUT is denied
        self.refuse = None  # (status, S3 code) for writes, or None
        self.refuse_but = ""  # keys that end so are taken
        self.probes = 0  # writes of check's object
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def handle_any(self):
                size = int(self.headers.get("content-length", 0))
                self.body = self.rfile.read(size)
                cloud.answer(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, address):
                pass

        self.server = Server(address, Handler)
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}
        ).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # --- keys ---

    def keys(self, service):
        with self.lock:
            self.given += 1
            self.asked[service] = self.asked.get(service, 0) + 1
            token = "T%d-%s" % (self.given, service)
            end = time.time() + self.life
            self.ends[token] = end
            return {
                "key": "AK%d" % self.given,
                "token": token,
                "end": iso(end + self.lie),
                "ms": int((end + self.lie) * 1000),
            }

    @staticmethod
    def as_json(keys, token="Token", **more):
        return json.dumps(
            dict(
                {
                    "AccessKeyId": keys["key"],
                    "SecretAccessKey": "secret",
                    token: keys["token"],
                    "Expiration": keys["end"],
                },
                **more
            )
        )

    # --- answers ---

    def answer(self, h):
        path, _, query = h.path.partition("?")
        parts = path.split("/")
        service = {
            "latest": self.instance,
            "container": self.container,
            "sts": self.sts,
            "federation": self.portal,
        }.get(parts[1], self.store)
        status, body, headers = service(h, path, query)
        body = body.encode() if isinstance(body, str) else body
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name, value)
        if "Content-Length" not in headers:
            h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        if h.command != "HEAD":
            h.wfile.write(body)

    def instance(self, h, path, query):
        if path == "/latest/api/token" and h.command == "PUT":
            return 200, "imds-token", {}
        if h.headers.get("x-aws-ec2-metadata-token") != "imds-token":
            return 401, "", {}
        if path.endswith("/security-credentials/"):
            return 200, "the-role", {}
        keys = self.keys("instance")
        return 200, self.as_json(keys, Code="Success"), {}

    def container(self, h, path, query):
        if h.headers.get("authorization") != "Basic abc":
            return 403, '{"message":"who are you?"}', {}
        return 200, self.as_json(self.keys("container")), {}

    def sts(self, h, path, query):
        form = dict(urllib.parse.parse_qsl(h.body.decode()))
        action = form["Action"]
        good = form.get("WebIdentityToken") == "jwt"
        if action == "AssumeRole":
            good = (
                "Credential=%s/" % STATIC in h.headers["authorization"]
                and form.get("ExternalId") == "ex"
            )
        if not good:
            return 403, "<ErrorResponse>" + ERROR % "AccessDenied" + (
                "</ErrorResponse>"
            ), {}
        keys = self.keys(action)
        return 200, STS % dict(keys, action=action), {}

    def portal(self, h, path, query):
        if h.headers.get("x-amz-sso_bearer_token") != "bearer":
            return 401, '{"message":"who are you?"}', {}
        keys = self.keys("sso")
        return 200, json.dumps(
            {
                "roleCredentials": {
                    "accessKeyId": keys["key"],
                    "secretAccessKey": "secret",
                    "sessionToken": keys["token"],
                    "expiration": keys["ms"],
                }
            }
        ), {}

    # --- the store ---

    def store(self, h, path, query):
        token = h.headers.get("x-amz-security-token")
        with self.lock:
            end = self.ends.get(token)
            if end is None or end < time.time():
                self.expired += end is not None
                code = "InvalidToken" if end is None else "ExpiredToken"
                # HEAD has no body to say so, as with AWS.
                return 400, ERROR % code, {}
            return self.of_object(h, path, query)

    def of_object(self, h, path, query):
        key = urllib.parse.unquote(path)
        if self.write_only and h.command != "PUT":
            return 403, ERROR % "AccessDenied", {}
        if h.command == "PUT":
            self.probes += key.endswith("/probe")
            if self.refuse and not (
                self.refuse_but and key.endswith(self.refuse_but)
            ):
                return self.refuse[0], ERROR % self.refuse[1], {}
            digest = hashlib.md5(h.body)
            sent = h.headers.get("content-md5")
            if sent and base64.b64decode(sent) != digest.digest():
                return 400, ERROR % "BadDigest", {}
            self.objects[key] = h.body
            return 200, "", {"ETag": '"%s"' % digest.hexdigest()}
        if h.command == "DELETE":
            self.objects.pop(key, None)
            return 204, "", {}
        if key.count("/") == 1:
            return 200, "", {}
        if h.command == "HEAD" and key in self.objects:
            body = self.objects[key]
            return 200, "", {
                "Content-Length": str(len(body)),
                "ETag": '"%s"' % hashlib.md5(body).hexdigest(),
            }
        return 404, ERROR % "NoSuchKey", {}


def settings(cloud, directory):
    """{source: (variables, files below HOME)} for each source."""
    program = os.path.join(directory, "keys")
    with open(program, "w") as f:
        f.write(
            "#!/usr/bin/python3\n"
            "import json, urllib.request as r\n"
            "q = r.Request('%s/container', headers="
            "{'authorization': 'Basic abc'})\n"
            "k = json.load(r.urlopen(q))\n"
            "k['SessionToken'] = k.pop('Token')\n"
            "print(json.dumps(dict(k, Version=1)))\n" % cloud.url
        )
    os.chmod(program, 0o700)
    sso = hashlib.sha1(b"my").hexdigest()
    return {
        "instance": (
            {
                "AWS_EC2_METADATA_DISABLED": "false",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url,
            },
            {},
        ),
        "container": (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": cloud.url
                + "/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc",
            },
            {},
        ),
        "web": (
            {
                "AWS_WEB_IDENTITY_TOKEN_FILE": os.path.join(
                    directory, "home-web", "jwt"
                ),
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                "AWS_ENDPOINT_URL_STS": cloud.url + "/sts",
            },
            {"jwt": "jwt\n"},
        ),
        "role": (
            {
                "AWS_PROFILE": "r",
                "AWS_ENDPOINT_URL_STS": cloud.url + "/sts",
            },
            {
                ".aws/config": "[profile r]\nrole_arn = arn:r\n"
                "source_profile = base\nexternal_id = ex\n",
                ".aws/credentials": "[base]\naws_access_key_id = %s\n"
                "aws_secret_access_key = s\n" % STATIC,
            },
        ),
        "process": (
            {"AWS_PROFILE": "p"},
            {".aws/config": "[profile p]\ncredential_process = %s\n" % program},
        ),
        "sso": (
            {"AWS_PROFILE": "s", "AWS_ENDPOINT_URL_SSO": cloud.url},
            {
                ".aws/config": "[profile s]\nsso_session = my\n"
                "sso_account_id = 1\nsso_role_name = r\n"
                "[sso-session my]\nsso_region = r-1\n",
                ".aws/sso/cache/%s.json" % sso: json.dumps(
                    {
                        "accessToken": "bearer",
                        "expiresAt": iso(time.time() + 3600),
                    }
                ),
            },
        ),
    }
