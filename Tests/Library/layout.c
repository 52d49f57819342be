// The layout of what NOVM_1 promises: what changes it does not compile. C++ takes the header too (Tests/Guest/library-calls.sh).
#include <novm.h>
#include <stddef.h>

#define IS(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
_Static_assert(sizeof(novm_error) == 1296, "novm_error");
IS(novm_error, status, 0);
IS(novm_error, number, 4);
IS(novm_error, line, 8);
IS(novm_error, exit_status, 12);
IS(novm_error, subject, 16);
IS(novm_error, message, 272);
_Static_assert(sizeof(novm_machine_state) == 1040, "novm_machine_state");
IS(novm_machine_state, state, 4);
IS(novm_machine_state, exit_status, 8);
IS(novm_machine_state, incident, 12);
IS(novm_machine_state, message, 16);
_Static_assert(sizeof(novm_command_options) == 88, "novm_command_options");
IS(novm_command_options, flags, 4);
IS(novm_command_options, arguments, 8);
IS(novm_command_options, environment, 16);
IS(novm_command_options, directory, 24);
IS(novm_command_options, user, 32);
IS(novm_command_options, input, 40);
IS(novm_command_options, output, 44);
IS(novm_command_options, error, 48);
IS(novm_command_options, timeout, 52);
IS(novm_command_options, input_data, 56);
IS(novm_command_options, input_length, 64);
IS(novm_command_options, output_limit, 72);
IS(novm_command_options, rows, 80);
IS(novm_command_options, columns, 82);
IS(novm_command_options, reserved, 84);
_Static_assert(NOVM_ERROR_ARGUMENT == 1 && NOVM_ERROR_CANCELED == 16 && NOVM_STATE_REMOVED == 8, "numbers");

int main(void) { return 0; }
