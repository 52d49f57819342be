#pragma once

// While counting, how often this process took memory from the heap. For one thread.
void counting_allocator_start(void);
long counting_allocator_stop(void);
