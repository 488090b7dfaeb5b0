/*
 * Connections that are held. Reads commands from its input, a line each, and answers each with a line of JSON:
 *
 *   hold PORT PATH CONNECTIONS FRAME_FILE|- [EXTENSIONS]
 *
 *   open   opens them all and waits for every 101
 *   use    sends a message on each and waits for its reply
 *   close  sends a Close 1000 on each and waits for the end of each
 *
 * FRAME_FILE holds the one masked frame that `use` sends; `-` is a short text.
 */
#include "net.h"

#define AT_ONCE 128

typedef struct {
  int fd;
  int state; /* 0 waits, 1 is done */
  char bytes[1024];
  size_t length;
} held;

static int poll, port, connections;
static held *all;
static char message[1 << 16];
static size_t message_length;
static char request[1024];
static int request_length;
static unsigned dialled;

enum command { OPEN, USE, CLOSE };

static void begin(held *h, enum command command) {
  static const char close_frame[8] = {(char)0x88, (char)0x82, 0, 0, 0, 0, 0x03, (char)0xe8};
  const char *bytes = command == OPEN ? request : command == USE ? message : close_frame;
  size_t length = command == OPEN ? (size_t)request_length : command == USE ? message_length : sizeof close_frame;
  h->state = 0;
  h->length = 0;
  if (command == OPEN) {
    h->fd = dial(port, dialled++);
    if (h->fd < 0) return fail(0, strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = h};
    epoll_ctl(poll, EPOLL_CTL_ADD, h->fd, &event);
  }
  if (write(h->fd, bytes, length) != (ssize_t)length) fail(h->fd, "cannot write");
}

/* Whether what was begun is done. */
static int on_readable(held *h, enum command command) {
  ssize_t n = read(h->fd, h->bytes + h->length, sizeof h->bytes - 1 - h->length);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) {
    if (command != CLOSE) fail(h->fd, n == 0 ? "ended by the server" : strerror(errno));
    close(h->fd);
    h->fd = -1;
    return 1;
  }
  h->length += (size_t)n;
  h->bytes[h->length] = 0;
  if (command == OPEN) {
    if (strstr(h->bytes, "\r\n\r\n") == NULL) return 0;
    if (strncmp(h->bytes, "HTTP/1.1 101", 12) != 0) fail(h->fd, h->bytes);
    return 1;
  }
  if (command == CLOSE) {
    h->length = 0;
    return 0;
  }
  /* Replies are short. */
  return h->length >= 2 && h->length >= 2 + (size_t)(h->bytes[1] & 0x7f);
}

static void run(enum command command) {
  struct epoll_event events[256];
  int begun = 0, done = 0;
  uint64_t start = now_ns(), give_up = start + 40000000000ull;
  while (done < connections && errors == 0 && now_ns() < give_up) {
    for (; begun < connections && begun - done < AT_ONCE; begun++) begin(&all[begun], command);
    int n = epoll_wait(poll, events, 256, 1000);
    for (int i = 0; i < n; i++) {
      held *h = events[i].data.ptr;
      if (h->state == 1 && command != CLOSE) {
        /* A ping, or an early end. */
        char ignored[512];
        ssize_t got = read(h->fd, ignored, sizeof ignored);
        if (got == 0) fail(h->fd, "ended by the server");
        continue;
      }
      if (h->fd >= 0 && on_readable(h, command)) {
        h->state = 1;
        done++;
      }
    }
  }
  if (done < connections) fail(0, "not every connection answered in time");
  printf("{\"done\":%d,\"seconds\":%.3f,\"errors\":%llu}\n", done, (double)(now_ns() - start) / 1e9, (unsigned long long)errors);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: hold PORT PATH CONNECTIONS FRAME_FILE|- [EXTENSIONS]\n");
    return 2;
  }
  port = atoi(argv[1]);
  connections = atoi(argv[3]);
  request_length = upgrade_request(request, sizeof request, argv[2], port, argc > 5 ? argv[5] : "");
  if (strcmp(argv[4], "-") == 0) {
    static const char text[] = {(char)0x81, (char)0x85, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'};
    memcpy(message, text, message_length = sizeof text);
  } else {
    FILE *file = fopen(argv[4], "rb");
    if (file == NULL) {
      perror(argv[4]);
      return 2;
    }
    message_length = fread(message, 1, sizeof message, file);
    fclose(file);
  }
  raise_file_limit();
  poll = epoll_create1(0);
  all = calloc((size_t)connections, sizeof *all);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "open\n") == 0) run(OPEN);
    else if (strcmp(line, "use\n") == 0) run(USE);
    else if (strcmp(line, "close\n") == 0) run(CLOSE);
    else return 2;
  }
  return errors > 0 ? 1 : 0;
}
