"""What the options promise."""
import json
import os
import subprocess

from case import MIB


def test_help_and_version(t):
    for arguments in (["--help"], ["PUT", "--help"], ["LIST", "--help"]):
        done = t.run(*arguments, config=False)
        assert b"usage" in done.out.lower(), done
    assert b"datamover" in t.run("--version", config=False).out.lower()


def test_output_is_full(t):
    """What could not be printed is not done, whichever verb prints it."""
    t.write("f", "1")
    t.put(moved=1)
    config = ["--config", t.config]
    for words in (
        ["--help"],
        ["--version"],
        ["PUT", "--help"],
        ["sql", "--version"],
        ["conf", "--help"],
        ["conf", "--example"],
        ["conf", *config],
        ["conf", "--check", *config],
        ["conf", "--convert", *config],
        ["check", *config],
        ["status", *config],
        ["status", "--json", *config],
        ["report", *config],
        ["report", "--format", "html", *config],
        ["sql", "SELECT 1", *config],
        ["sql", "--format", "json", "SELECT 1", *config],
        ["LIST", *config],
        ["LIST", "--json", *config],
        ["LIST", "--print0", *config],
        ["DEL", "--dryrun", *config],
        ["PUT", "--json", *config],
        ["TEST", "--data_integrity", "--json", *config],
        ["GET", "--json", "--dest_path", t.dir, *config],
    ):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                t.command(*words),
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                env=t.environment(),
            )
        assert done.returncode == 1, done
        assert b"standard output" in done.stderr, done


def test_output_is_closed(t):
    """What is printed does not go into a file that has its number."""
    t.small_files(300)
    t.put(moved=300)
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh"]
        + t.command("LIST", "--json", "--config", t.config),
        env=t.environment(),
    )
    assert done.returncode == 1, done
    with open(os.path.join(t.logs, "datamover.log")) as f:
        for line in f:
            assert "etag" not in json.loads(line), line


def test_usage_errors(t):
    t.run(expect=2, config=False)
    t.run("FETCH", expect=2)
    t.run("--dryrun", "PUT", expect=2).says("where the verb must be")
    t.run("PUT", "--no-such-option", expect=2).says("--no-such-option")
    t.run("PUT", "--bwlimit", "fast", expect=2).says("fast")
    t.run("PUT", "--thread", "0", expect=2)
    t.run("PUT", "--config", expect=2, config=False)
    t.run("PUT", "stray", expect=2).says("stray")
    assert not os.path.exists(t.catalog)


def test_operation_in_any_case(t):
    t.write("f", "1")
    t.run("put")
    t.run("Put", "--server_as_prefix", "yes")
    t.run("pUT", "--server-as-prefix", "yes")
    t.same()


def test_json_last_line(t):
    t.small_files(20)
    result = t.put(found=20, moved=20, unchanged=0, failed=0, excluded=0)
    j = result.json
    assert j["operation"] == "PUT", j
    assert j["bytes"] == sum(f.size for f in t.wanted().values()), j
    assert 0 <= j["seconds"] < 60, j
    assert len(result.out.splitlines()) == 1, result
    result = t.run("PUT")
    assert not result.out.strip().startswith(b"{"), result


def test_json_with_error(t):
    """A run that ends in an error still prints its last line."""
    t.write("f", "1")
    result = t.run("PUT", "--json", "--bucket", "no-such-bucket", expect=3)
    assert result.json and result.json["error"], result


def test_dryrun(t):
    """Reads every file, sends nothing, leaves the catalog alone."""
    t.small_files(20)
    t.random_file("large", 20 * MIB)
    result = t.put("--dryrun", found=21)
    assert not t.objects() and not t.uploads()
    assert not os.path.exists(t.catalog), "a dry run made the catalog"
    result.says("MiB/s")
    t.put(found=21, moved=21)
    before = open(t.catalog, "rb").read()
    t.write("new", "1")
    t.put("--dryrun", found=22)
    assert len(t.objects()) == 21
    assert open(t.catalog, "rb").read() == before
    t.put(found=22, moved=1, unchanged=21)
    t.same()


def test_dryrun_reports_unreadable(t):
    t.conf(fs_config={"uid": 1000, "gid": 1000})
    t.write("f", "1")
    path = t.write("closed", "1")
    os.chmod(path, 0)
    t.put("--dryrun", expect=1, found=2, failed=1)


def test_prefix(t):
    for name in ("a/1", "a/b/2", "ab/3", "c/4"):
        t.write(name, name)
    root = t.server + t.share + "/"
    t.put("--prefix", root + "a/", found=2, moved=2)
    assert sorted(t.objects()) == [root + "a/1", root + "a/b/2"]
    os.unlink(t.path("c/4"))
    # What lies outside the prefix wasn't looked at: it is not gone.
    t.put("--prefix", root + "ab/", found=1, moved=1)
    t.put("--prefix", root + "a/b/", found=1, moved=0, unchanged=1)
    t.put(found=3, moved=0, unchanged=3)
    t.same()


def test_prefix_without_server(t):
    t.conf(fs_config={"server_as_prefix": "no"})
    t.write("a/1", "1")
    t.write("b/2", "2")
    t.put("--prefix", t.share[1:] + "/a/", found=1, moved=1)
    assert list(t.objects()) == [t.share[1:] + "/a/1"]


def test_prefix_refused(t):
    root = t.server + t.share
    for prefix in (
        "/" + root + "/",
        root,
        root + "x/",
        t.server + "/exp/",
        "elsewhere/",
        root + "/../",
        "",
    ):
        t.run("PUT", "--prefix", prefix, expect=2).says("prefix")
    assert not t.objects()


def test_prefix_not_there(t):
    t.write("f", "1")
    prefix = t.server + t.share + "/no/such/"
    t.run("PUT", "--prefix", prefix, expect={1, 3})
    assert not t.objects()


def test_upper_case_stays(t):
    t.write("Upper/CASE", "1")
    root = t.server + t.share
    t.put("--prefix", root + "/Upper/", moved=1)
    assert list(t.objects()) == [root + "/Upper/CASE"]


def test_exclude_include(t):
    for name in (
        "keep.c",
        "drop.o",
        "sub/keep.c",
        "sub/drop.o",
        "build/x.c",
        "sub/build/y.c",
        "only/at/root",
        "sub/only/at/root",
    ):
        t.write(name, name)
    root = t.server + t.share + "/"
    patterns = ("--exclude", "*.o", "--exclude", "build/")
    t.put(*patterns, "--exclude", "/only", failed=0)
    assert sorted(k[len(root):] for k in t.objects()) == [
        "keep.c",
        "sub/keep.c",
        "sub/only/at/root",
    ]


def test_include_first(t):
    for name in ("a.txt", "b.bin", "d/c.txt", "d/e.bin"):
        t.write(name, name)
    root = t.server + t.share + "/"
    t.put("--include", "*/", "--include", "*.txt", "--exclude", "*", failed=0)
    assert sorted(k[len(root):] for k in t.objects()) == ["a.txt", "d/c.txt"]
    # What is excluded today isn't gone, and moves when it no longer is.
    t.put(found=4, moved=2, unchanged=2, excluded=0)
    t.same()


def test_excluded_counts(t):
    """An excluded directory counts once, whatever is in it."""
    t.write("d/1")
    t.write("d/2")
    t.write("f")
    t.put("--exclude", "d/", found=2, moved=1, excluded=1)


def test_min_max_size(t):
    for size in (0, 10, 1024, 1025, 5000):
        t.write("s%d" % size, "x" * size)
    root = t.server + t.share + "/"
    t.put("--min-size", "10", "--max-size", "1K", moved=2, excluded=3)
    assert sorted(t.objects()) == [root + "s10", root + "s1024"]
    t.put(moved=3, unchanged=2)
    t.same()


def test_nfs_options(t):
    """--nfs-server and --nfs-share replace the whole map of the file."""
    t.write("f", "1")
    t.conf(
        nfs=[("192.0.2.1", ["/nowhere"])],
        fs_config={"nfsport": 1},
    )
    t.put(
        "--nfs-server",
        t.server,
        "--nfs-share",
        t.share,
        "--nfs-port",
        t.world.nfs["NFS_PORT"],
        moved=1,
    )
    t.same()
    t.run("PUT", "--nfs-server", t.server, expect=2).says("--nfs-share")


def test_storage_class_and_sse(t):
    proxy = t.proxy()
    t.write("f", "1")
    t.put("--storage-class", "STANDARD", moved=1)
    assert proxy.stats()["PUT"] == 1
    t.same()


def test_bwlimit(t):
    t.random_file("a", 32 * MIB)
    result = t.put("--bwlimit", "8M", moved=1)
    # The first part goes out at once, the rest has to wait.
    assert result.seconds > 2.5, "32 MiB at 8 MiB/s in %.1f s" % result.seconds
    t.same()


def test_bwlimit_of_reading(t):
    """What GET and TEST read: one large object by ranges, or small ones."""
    t.random_file("large", 16 * MIB)
    for i in range(100):
        t.random_file("small%d" % i, 80 * 1024)
    t.put(moved=101)
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    for command in (
        ("TEST", "--data_integrity", "--skip_upload"),
        ("GET", "--dest_path", back),
    ):
        result = t.run(*command, "--bwlimit", "8M")
        # What came before the limit was felt, and 24 MiB at that rate.
        assert 2.5 < result.seconds < 20, result


def test_tpslimit(t):
    t.run("PUT", "--tpslimit", "-1", expect=2)
    t.small_files(40)
    # A request for each file, and one for the bucket.
    result = t.put("--tpslimit", "20", moved=40)
    assert 1.7 < result.seconds < 20, result
    t.same()


def test_thread(t):
    t.small_files(200)
    t.put("--thread", "1", moved=200)
    t.small_files(200)
    t.put("--thread", "4", moved=200)
    t.same()


def test_debug(t):
    """--debug says more, in the log too."""
    t.write("f", "1")
    t.run("PUT")
    quiet = log_size(t)
    t.write("f", "2")
    t.run("PUT", "--debug")
    assert log_size(t) > 2 * quiet > 0, (quiet, log_size(t))


def log_size(t):
    return sum(e.stat().st_size for e in os.scandir(t.logs))


def test_log_rotates(t):
    """No log file grows beyond its size, and the oldest go."""
    t.conf(logging={"max_log_file_size": 20000, "log_file_backup_count": 3})
    t.write("f", "1")
    for _ in range(4):
        t.small_files(200)
        t.run("PUT", "--debug")
    sizes = [e.stat().st_size for e in os.scandir(t.logs)]
    assert sum(sizes) > 0 and len(sizes) <= 4, sizes
    assert max(sizes) < 21000, sizes


def test_names_are_escaped(t):
    """A file name can't play tricks on the terminal."""
    t.conf(fs_config={"uid": 1000, "gid": 1000})
    path = t.write(b"evil\x1b[2J\r\nname", "1")
    os.chmod(path, 0)
    result = t.run("PUT", "--debug", expect=1).says("evil")
    assert b"\x1b" not in result.out + result.err, result
    assert b"\r" not in result.out + result.err, result
    assert b"\x1b" not in t.run("sql", "SELECT * FROM failures").out


def test_conf_escapes(t):
    """Nor can the name of the settings' file, or make a line of them."""
    path = os.path.join(os.fsencode(t.dir), b"co\xff\x1b\nzz")
    os.rename(t.config, path)
    t.config = path
    for words, expect in (
        (["--check", "--config", path], 0),
        (["--convert", "--config", path], 0),
        ([b"--\x1b\nzz"], 2),
        (["--config", path + b"x"], 2),
    ):
        r = t.run("conf", *words, expect=expect, config=False)
        assert b"\x1b" not in r.out + r.err, r
        assert b"\nzz" not in r.out + r.err, r


def on_terminal(t, term):
    """What a PUT shows on a terminal of this kind."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        t.command("PUT", "--config", t.config),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=dict(t.environment(), TERM=term),
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    assert process.wait() == 0, shown
    return shown.replace(b"\r\n", b"\n")


def test_progress_on_terminal(t):
    """A live line on a terminal that can show it, none of its codes
    elsewhere."""
    proxy = t.proxy()
    proxy.order("match PUT delay 100")
    t.small_files(600)
    shown = on_terminal(t, "xterm")
    first = shown.split(b"\n")[0]
    assert b"\r" in first or b"\x1b" in first, shown[:500]
    t.small_files(600)
    shown = on_terminal(t, "dumb")
    assert b"\x1b" not in shown and b"\r" not in shown, shown[:500]
    assert b"finished" in shown, shown
    t.small_files(100)
    result = t.run("PUT")
    assert b"\x1b" not in result.err and b"\r" not in result.err, result


def test_standalone(t):
    """Whatever hosts are configured, this one alone does the work."""
    t.write("f", "1")
    t.conf(client={"host": "client1"})
    t.put("--standalone", moved=1)


def test_config_json(t):
    """The original's config.json, as sites have it."""
    t.write("f", "1")
    settings = {
        "clients_hosts_or_ip_addresses": [],
        "master": {
            "host_or_ip_address": "127.0.0.1",
            "workers": 1,
            "max_index_size": 1000,
            "size": "1GB",
        },
        "client": {
            "workers": 25,
            "max_index_size": 1000,
            "user_id": "ansible",
            "password": "",
        },
        "message": {"port_index": 6000, "port_status": 6001},
        "socket_options": {
            "connection_retry_delay": 2,
            "max_connection_time_threshold": 300,
            "response_header_length": 10,
            "recv_timeout": 60,
        },
        "fs_config": {
            "mounted": False,
            "nfs": {t.server: [t.share]},
            "nfsport": int(t.world.nfs["NFS_PORT"]),
            "mountport": int(t.world.nfs["MNT_PORT"]),
            "server_as_prefix": "yes",
        },
        "s3_storage": {
            "minio": {
                "url": t.endpoint[len("http://"):],
                "access_key": t.key,
                "secret_key": t.secret,
            },
            "bucket": t.bucket,
            "client_lib": "minio",
        },
        "operations": ["PUT", "LIST", "GET", "DEL", "TEST"],
        "logging": {
            "path": t.logs,
            "level": "INFO",
            "max_log_file_size": 1048576,
            "log_file_backup_count": 5,
        },
        "environment": {
            "gcc": {
                "required": True,
                "source": "/opt/rh/devtoolset-11/enable",
                "version": "5.1",
            }
        },
        "compaction": "no",
        "catalog": {"path": t.catalog},
    }
    t.config = os.path.join(t.dir, "config.json")
    with open(t.config, "w") as f:
        json.dump(settings, f, indent=4)
    t.put(moved=1)
    t.same()


def test_credentials_from_elsewhere(t):
    """A file, the environment, a profile."""
    none = {"access_key": None, "secret_key": None}
    t.write("f", "1")
    env = {"AWS_ACCESS_KEY_ID": t.key, "AWS_SECRET_ACCESS_KEY": t.secret}
    t.conf(s3_storage=none)
    t.run("PUT", expect=2)
    t.run("PUT", env=env)
    t.same()
    secret = os.path.join(t.dir, "secret")
    with open(secret, "w") as f:
        f.write(t.secret + "\n")
    os.chmod(secret, 0o600)
    t.conf(s3_storage={"secret_key": None, "secret_key_file": secret})
    t.write("f", "2")
    t.put(moved=1)
    os.mkdir(os.path.join(t.dir, ".aws"))
    with open(os.path.join(t.dir, ".aws", "credentials"), "w") as f:
        f.write(
            "[default]\naws_access_key_id = wrong\n"
            "aws_secret_access_key = wrong\n\n[mover]\n"
            "aws_access_key_id = %s\naws_secret_access_key = %s\n"
            % (t.key, t.secret)
        )
    t.conf(s3_storage=none)
    t.write("f", "3")
    t.run("PUT", env={"AWS_PROFILE": "mover"})
    t.conf(s3_storage=dict(none, profile="mover"))
    t.write("f", "4")
    t.put(moved=1)
    t.same()
