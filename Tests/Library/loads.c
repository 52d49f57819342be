// Loads and unloads libnovm again and again, as programs with plug-ins do: loads LIBRARY. Needs no KVM.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

int main(int count, char **words) {
  if (count != 2) return 2;
  for (int i = 0; i < 100; ++i) {
    void *library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    int (*make)(uint64_t *, void *) = (int (*)(uint64_t *, void *))(uintptr_t)dlsym(library, "novm_description_new");
    int (*end)(uint64_t, void *) = (int (*)(uint64_t, void *))(uintptr_t)dlsym(library, "novm_close");
    uint64_t handle;
    if (!make || !end || make(&handle, NULL) != 0 || end(handle, NULL) != 0) return 1;
    dlclose(library);
  }
  return 0;
}
