"""The S3 client and the NFS trees alone, against the lane's servers: the
programs of tests/fault/live_*.c, which say how many of their checks passed."""
import os
import subprocess

from case import limit


def live(t, program, *arguments, least, **environment):
    done = subprocess.run(
        [os.path.join(t.world.tools, "fault", program), *arguments],
        env=dict(t.environment(), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    passed, failed = done.stdout.splitlines()[-1].split(", ")
    assert done.returncode == 0 and failed == "0 failed", done.stdout
    assert int(passed.split()[0]) >= least, done.stdout


def store(t, **more):
    return dict(
        S3_ENDPOINT=t.endpoint,
        S3_BUCKET=t.bucket,
        S3_KEY=t.key,
        S3_SECRET=t.secret,
        **more
    )


@limit(300)
def test_live_s3(t):
    """Each request and its answer, also over TLS, and with the bucket in the
    host name."""
    port = t.world.s3["S3_PORT"]
    tls = "https://localhost:" + t.world.s3["S3_TLS_PORT"]
    more = dict(
        S3_TLS_ENDPOINT=tls,
        S3_CA=t.world.s3["S3_CA"],
        S3_HOST_ENDPOINT="http://localhost:" + port,
    )
    live(t, "live_s3", least=100, **store(t, **more))


@limit(300)
def test_live_s3_many(t):
    """DeleteObjects and the lister, with versions too."""
    versioned = t.bucket + "-v"
    t.s3.create_bucket(Bucket=versioned)
    t.s3.put_bucket_versioning(
        Bucket=versioned, VersioningConfiguration={"Status": "Enabled"}
    )
    live(t, "live_s3_many", least=60, **store(t, S3_VERSIONED=versioned))


@limit(300)
def test_live_tree(t):
    """A tree over NFS 3, over NFS 4 and by local paths."""
    ports = (t.world.nfs["NFS_PORT"], t.world.nfs["MNT_PORT"])
    live(t, "live_tree", *ports, t.share, t.tree, least=100)
