#pragma once
// Before liburing asks the C library for another edition of it than Swift's.
#include <features.h>
#include <liburing.h>
