/*
 * Load of requests: `http` sends GETs over kept connections, one at a time on each; `upgrade` opens a WebSocket, closes
 * it with 1000 and begins again.
 *
 *   requests PORT PATH CONNECTIONS http|upgrade SECONDS WARMUP
 *
 * A request is done when its whole response is there, an upgrade when its 101 is.
 */
#include "net.h"

typedef struct {
  int fd;
  int upgraded;
  uint64_t sent_at;
  char response[8192];
  size_t length;
} slot;

static int poll, port, upgrades, counting;
static unsigned dialled;
static char request[1024];
static int request_length;
static uint64_t counted;
static latencies latency;

static void send_request(slot *s) {
  s->length = 0;
  s->sent_at = now_ns();
  if (write(s->fd, request, (size_t)request_length) != request_length) fail(s->fd, "cannot write the request");
}

static void open_slot(slot *s) {
  s->upgraded = 0;
  s->fd = dial(port, dialled++);
  if (s->fd < 0) return fail(0, strerror(errno));
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
  epoll_ctl(poll, EPOLL_CTL_ADD, s->fd, &event);
  send_request(s);
}

static int is_complete(slot *s) {
  s->response[s->length] = 0;
  char *body = strstr(s->response, "\r\n\r\n");
  if (body == NULL) return 0;
  if (upgrades) return 1;
  body += 4;
  char *length = strcasestr(s->response, "\r\ncontent-length:");
  if (length != NULL && length < body) return s->response + s->length - body >= atol(length + 17);
  return s->length > 5 && strcmp(s->response + s->length - 5, "0\r\n\r\n") == 0;
}

static void done(slot *s) {
  if (strncmp(s->response, upgrades ? "HTTP/1.1 101" : "HTTP/1.1 200", 12) != 0) return fail(s->fd, s->response);
  if (counting) {
    counted++;
    count_latency(&latency, now_ns() - s->sent_at);
  }
  if (!upgrades) return send_request(s);
  /* Close 1000, masked with zeros. */
  static const char close_frame[8] = {(char)0x88, (char)0x82, 0, 0, 0, 0, 0x03, (char)0xe8};
  s->upgraded = 1;
  s->length = 0;
  if (write(s->fd, close_frame, sizeof close_frame) != sizeof close_frame) fail(s->fd, "cannot write the Close");
}

static void on_readable(slot *s) {
  ssize_t n = read(s->fd, s->response + s->length, sizeof s->response - 1 - s->length);
  if (n < 0 && errno == EAGAIN) return;
  if (s->upgraded) {
    /* The Close, or its echo and the end of the connection. */
    close(s->fd);
    return open_slot(s);
  }
  if (n <= 0) {
    fail(s->fd, n == 0 ? "ended by the server" : strerror(errno));
    close(s->fd);
    return open_slot(s);
  }
  s->length += (size_t)n;
  if (is_complete(s)) done(s);
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr, "usage: requests PORT PATH CONNECTIONS http|upgrade SECONDS WARMUP\n");
    return 2;
  }
  port = atoi(argv[1]);
  int slots = atoi(argv[3]);
  upgrades = strcmp(argv[4], "upgrade") == 0;
  double seconds = atof(argv[5]), warmup = atof(argv[6]);
  request_length = upgrades ? upgrade_request(request, sizeof request, argv[2], port, "")
                            : snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", argv[2], port);
  latency.buckets = calloc(BUCKETS, sizeof(uint32_t));
  raise_file_limit();
  poll = epoll_create1(0);
  slot *all = calloc((size_t)slots, sizeof *all);
  for (int i = 0; i < slots; i++) open_slot(&all[i]);
  struct epoll_event events[256];
  uint64_t start = now_ns(), measured_from = 0;
  double cpu = 0;
  for (;;) {
    uint64_t t = now_ns();
    if (!counting && t > start + (uint64_t)(warmup * 1e9)) {
      counting = 1;
      measured_from = t;
      cpu = own_cpu();
      say_begin();
    }
    if ((counting && t > measured_from + (uint64_t)(seconds * 1e9)) || errors > 100) break;
    int n = epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < n; i++) on_readable(events[i].data.ptr);
  }
  double took = (double)(now_ns() - measured_from) / 1e9;
  printf("{\"messages\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"loadCpu\":%.3f,\"errors\":%llu}\n",
         (unsigned long long)counted, took, (double)counted / took, percentile(&latency, 0.5),
         percentile(&latency, 0.99), percentile(&latency, 0.999), (own_cpu() - cpu) / took, (unsigned long long)errors);
  return errors > 0 || counted == 0 ? 1 : 0;
}
