"""Ways to a wrong success, and uploads that somebody else interferes with."""
import threading
import time

from case import MIB, limit


@limit(60)
def test_part_size_lowered(t):
    """--checksum with another part size: the row still tells what S3 holds."""
    t.random_file("a", 12 * MIB)
    t.conf(s3_storage={"part_size": "16MiB"})
    t.put(moved=1)
    before = t.query("SELECT etag, part_size FROM objects")
    t.conf(s3_storage={"part_size": "5MiB"})
    t.put("--checksum", moved=0, unchanged=1)
    assert t.query("SELECT etag, part_size FROM objects") == before


@limit(60)
def test_limits_of_a_store(t):
    """Three parts for one object, and objects of 20 MiB at most."""
    t.random_file("a", 18 * MIB + 1)
    t.random_file("b", 20 * MIB + 1)
    t.conf(
        s3_storage={
            "part_size": "5MiB",
            "max_parts": "3",
            "max_object_size": "20MiB",
        }
    )
    t.put(expect=1, moved=1, failed=1)
    ((part_size,),) = t.query("SELECT part_size FROM objects WHERE etag"
                              " LIKE '%-3'")
    assert part_size == 6 * MIB + 1
    ((reason,),) = t.query("SELECT reason FROM failures")
    assert "larger than 20.0 MiB" in reason, reason


@limit(120)
def test_abort_refused(t):
    """A file changes during its upload, and the abort is refused for longer
    than we retry: the upload is remembered and aborted by the next run."""
    proxy = t.proxy(s3_storage={"retry_for": "3"})
    path = t.random_file("large", 64 * MIB)
    proxy.order("match PUT,partNumber=2 delay 4000")
    proxy.order("match DELETE 503")
    process = t.start("PUT", "--limit-memory", "64M")
    t.eventually(lambda: proxy.stats()["PUT"] >= 1, what="a part was sent")
    with open(path, "r+b") as file:
        file.write(b"changed")
    assert process.wait(timeout=100) == 1, t.started_text()
    assert t.uploads(), "the abort was not refused"
    proxy.order("pass")
    t.put(moved=1)
    t.same()


@limit(120)
def test_uploads_aborted_by_another(t):
    """Somebody aborts every upload: a failed row, not an endless loop."""
    proxy = t.proxy()
    t.random_file("large", 20 * MIB)
    t.write("small", "1")
    proxy.order("match PUT,partNumber delay 400")
    over = threading.Event()

    def abort_all():
        while not over.is_set():
            listed = t.s3.list_multipart_uploads(Bucket=t.bucket)
            for upload in listed.get("Uploads", ()):
                try:
                    t.s3.abort_multipart_upload(
                        Bucket=t.bucket,
                        Key=upload["Key"],
                        UploadId=upload["UploadId"],
                    )
                except t.s3.exceptions.ClientError:
                    pass
            time.sleep(0.05)

    thread = threading.Thread(target=abort_all, daemon=True)
    thread.start()
    try:
        t.put(expect=1, moved=1, failed=1)
    finally:
        over.set()
        thread.join()
    proxy.order("pass")
    t.put(moved=1, unchanged=1)
    t.same()
