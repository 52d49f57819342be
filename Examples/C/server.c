// A web server in a machine, and a client of its here: server PORT.
#include <arpa/inet.h>
#include <novm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK(call) \
  if (call) return fprintf(stderr, "%s\n", error.message), 1

int main(int count, char **words) {
  if (count != 2) return fprintf(stderr, "usage: server PORT\n"), 2;
  char port[32];
  snprintf(port, sizeof port, "127.0.0.1:%s:80", words[1]);
  novm_error error;
  novm_handle store, description, machine, server;
  OK(novm_store_open(NULL, NULL, &store, &error));
  OK(novm_description_new(&description, &error));
  OK(novm_description_set(description, "memory", "256M", &error));
  OK(novm_description_set(description, "rm", "true", &error));
  OK(novm_description_set(description, "publish", port, &error));
  OK(novm_machine_create(store, description, &machine, &error));
  OK(novm_machine_start(machine, 0, 60000, &error));

  int output[2];
  if (pipe(output)) return perror("pipe"), 1;
  const char *const command[] = {"python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "80", NULL};
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  options.arguments = command;
  options.directory = "/usr/share";
  options.output = output[1];
  OK(novm_command_start(machine, &options, &server, &error));
  close(output[1]);
  // It says when it serves.
  char line[512];
  FILE *words_of_it = fdopen(output[0], "r");
  if (!fgets(line, sizeof line, words_of_it)) return fprintf(stderr, "no server\n"), 1;

  int client = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {AF_INET, htons((unsigned short)atoi(words[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  if (connect(client, (struct sockaddr *)&address, sizeof address)) return perror("connect"), 1;
  dprintf(client, "GET / HTTP/1.0\r\n\r\n");
  FILE *answer = fdopen(client, "r");
  if (!fgets(line, sizeof line, answer)) return fprintf(stderr, "no answer\n"), 1;
  line[strcspn(line, "\r\n")] = 0;
  printf("%s\n", line);
  OK(novm_machine_stop(machine, 0, &error));
  return 0;
}
