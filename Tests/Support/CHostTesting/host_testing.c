#include "host_testing.h"
