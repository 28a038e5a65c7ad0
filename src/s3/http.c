/* First: curl.h needs functions banned by base.h. */
#include <curl/curl.h>
#include <poll.h>

#include "base/clock.h"
#include "s3/fault.h"
#include "s3/http.h"

#define PAUSE_MS	100	/* before the second attempt; then twice as
				   long */
#define TURN_MS		50	/* how often to look at stop */

void
http_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

static size_t
on_write(char *data, size_t size, size_t count, void *arg)
{
	return buf_add(arg, data, size * count) == 0 ? size * count : 0;
}

static int
on_progress(void *arg, curl_off_t a UNUSED, curl_off_t b UNUSED,
    curl_off_t c UNUSED, curl_off_t d UNUSED)
{
	const struct http_ask *a_stop = arg;

	return a_stop->stop != NULL && atomic_load(a_stop->stop) ? 1 : 0;
}

static void
set_options(CURL *c, const struct http_ask *a, struct curl_slist *headers,
    struct buf *ret, char *text)
{
	curl_easy_setopt(c, CURLOPT_URL, a->url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PROXY, a->proxy == NULL ? "" : a->proxy);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "datamover");
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)a->timeout_ms);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (a->ca_file != NULL)
		curl_easy_setopt(c, CURLOPT_CAINFO, a->ca_file);
	if (a->body != NULL)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, a->body);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, a->method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, ret);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, a);
}

static int
attempt(CURL *c, const struct http_ask *a, struct buf *ret, struct err *err)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	char text[CURL_ERROR_SIZE] = "", shown[160];
	struct s3_fault f;
	long status = 0;
	CURLcode code;

	for (size_t i = 0; i < HTTP_HEADERS_MAX && a->headers[i] != NULL; i++)
		headers = curl_slist_append(headers, a->headers[i]);
	set_options(c, a, headers, ret, text);
	code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	if (buf_overflowed(ret))
		return err_set(err, ERR_PEER, 0, "an answer of over %zu bytes",
		    HTTP_ANSWER_MAX);
	if (code == CURLE_OK && status >= 500)
		return err_set(err, ERR_RETRY, (int)status, "HTTP %ld", status);
	if (code == CURLE_OK)
		return (int)status;
	f = s3_fault_curl((int)code);
	str_escape(str_of(text[0] != '\0' ? text : curl_easy_strerror(code)),
	    shown, sizeof(shown));
	return err_set(err, f.kind, (int)code, "%s", shown);
}

static void
pause_ms(const struct http_ask *a, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end && !(a->stop != NULL &&
	    atomic_load(a->stop)))
		poll(NULL, 0, TURN_MS);
}

int
http_ask(const struct http_ask *a, struct buf *ret, struct err *err)
{
	uint64_t ms = PAUSE_MS;
	int rc = -1;
	CURL *c;

	buf_init(ret, HTTP_ANSWER_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_RESOURCE, 0, "curl: can't start");
	for (unsigned i = 0; i < MAX(a->attempts, 1U); i++) {
		if (i > 0)
			pause_ms(a, ms);
		ms *= i > 0 ? 2 : 1;
		buf_clear(ret);
		c = curl_easy_init();
		if (c == NULL) {
			rc = err_set(err, ERR_RESOURCE, 0, "curl: no handle");
			break;
		}
		rc = attempt(c, a, ret, err);
		curl_easy_cleanup(c);
		if (rc != -1 || err->kind != ERR_RETRY)
			break;
	}
	curl_global_cleanup();
	return rc;
}
