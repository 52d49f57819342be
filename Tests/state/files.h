// A line on the serial port. After an exclamation mark is what is wrong.
void say(const char *format, ...);

// False for what is no order of files.c.
int files_order(const char *order);
