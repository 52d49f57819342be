// Traffic for measurements, between a guest and its host: the same program at both ends, which does little itself.
//
//     packets serve                       answers the others, until it is killed
//     packets send ADDRESS MIB            a stream of TCP to there
//     packets receive ADDRESS MIB         a stream of TCP from there
//     packets exchange ADDRESS COUNT DEPTH
//                                         COUNT datagrams of 64 bytes, each sent back, DEPTH of them under way at once
//
// Ends with 1, and a line that says why, unless all has arrived.

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 5001, DATAGRAM = 64, BUFFER = 128 << 10 };

static char buffer[BUFFER];

static void fail(const char *what) {
    fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int checked(int result, const char *what) {
    if (result < 0) fail(what);
    return result;
}

// A stream begins with how many bytes are to come back. If none are, how many came is said at its end.
static void put(int stream, uint64_t number) {
    if (write(stream, &number, sizeof number) != sizeof number) fail("write");
}

static uint64_t get(int stream) {
    uint64_t number;
    if (recv(stream, &number, sizeof number, MSG_WAITALL) != sizeof number) fail("recv");
    return number;
}

static void pour(int stream, uint64_t count) {
    while (count > 0) count -= checked(write(stream, buffer, count < BUFFER ? count : BUFFER), "write");
}

// Until the other end has sent all.
static uint64_t drain(int stream) {
    uint64_t total = 0;
    for (int count; (count = checked(read(stream, buffer, BUFFER), "read")) > 0;) total += count;
    return total;
}

static void answer_streams(int listener) {
    for (;;) {
        int stream = checked(accept(listener, NULL, NULL), "accept");
        uint64_t count = get(stream);
        if (count > 0) pour(stream, count);
        else put(stream, drain(stream));
        close(stream);
    }
}

static void answer_datagrams(int port) {
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        int count = checked(recvfrom(port, buffer, BUFFER, 0, (struct sockaddr *)&peer, &size), "recvfrom");
        checked(sendto(port, buffer, count, 0, (struct sockaddr *)&peer, size), "sendto");
    }
}

static void exchange(int port, uint64_t count, uint64_t depth) {
    for (uint64_t sent = 0, back = 0; back < count; back++) {
        if (sent == back)
            for (; sent < count && sent < back + depth; sent++) checked(send(port, buffer, DATAGRAM, 0), "send");
        if (checked(recv(port, buffer, BUFFER, 0), "recv") != DATAGRAM) fail("a datagram of another length");
    }
}

int main(int count, char **words) {
    int serves = count == 2 && strcmp(words[1], "serve") == 0;
    int exchanges = count == 5 && strcmp(words[1], "exchange") == 0;
    int sends = count == 4 && strcmp(words[1], "send") == 0;
    int receives = count == 4 && strcmp(words[1], "receive") == 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    if (!(serves || exchanges || sends || receives) || (!serves && inet_pton(AF_INET, words[2], &address.sin_addr) != 1)) {
        fprintf(stderr, "usage: packets serve | send ADDRESS MIB | receive ADDRESS MIB | exchange ADDRESS COUNT DEPTH\n");
        return 2;
    }
    if (serves) {
        int listener = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
        int port = checked(socket(AF_INET, SOCK_DGRAM, 0), "socket");
        checked(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
        checked(bind(port, (struct sockaddr *)&address, sizeof address), "bind");
        checked(listen(listener, 1), "listen");
        if (checked(fork(), "fork") == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            answer_datagrams(port);
        }
        answer_streams(listener);
    }
    int end = checked(socket(AF_INET, exchanges ? SOCK_DGRAM : SOCK_STREAM, 0), "socket");
    checked(connect(end, (struct sockaddr *)&address, sizeof address), "connect");
    uint64_t amount = strtoull(words[3], NULL, 10);
    if (exchanges) {
        exchange(end, amount, strtoull(words[4], NULL, 10));
        return 0;
    }
    amount <<= 20;
    put(end, sends ? 0 : amount);
    if (sends) {
        pour(end, amount);
        checked(shutdown(end, SHUT_WR), "shutdown");
    }
    if ((sends ? get(end) : drain(end)) != amount) {
        fprintf(stderr, "packets: not all has arrived\n");
        return 1;
    }
}
