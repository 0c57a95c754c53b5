/* Reads the compiled modules of a package, all while another thread may have the GIL.
 *
 * The import system gives up the GIL for each thing it asks of a file, ten times for a module. Where
 * other threads compute, it gets the GIL back after 5 ms for each of them. Here it is given up once.
 *
 * What cannot be read is left out: then it is imported as ever. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_DIRECTORY "__pycache__"
#define SUFFIX ".py"

enum { DEEPEST = 8, MOST_MODULES = 4096, MOST_BYTES = 1 << 24 };

typedef struct {
    char *path; /* of the source */
    int64_t modified;
    int64_t size;
    char *code;
    Py_ssize_t code_size;
} Module;

typedef struct {
    Module *modules;
    int count, capacity;
    int64_t bytes;
} Found;

/* Returns what a file holds, NULL: it cannot be read, or is too long. */
static char *
read_file(const char *path, int64_t most, Py_ssize_t *size)
{
    struct stat status;
    char *content = NULL;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return NULL;
    }
    *size = 0;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= most
        && (content = malloc((size_t)status.st_size + 1)) != NULL) {
        ssize_t got = 1;
        while (*size < status.st_size && got > 0) {
            got = read(descriptor, content + *size, (size_t)(status.st_size - *size));
            *size += got > 0 ? got : 0;
        }
        if (*size != status.st_size) {
            free(content);
            content = NULL;
        }
    }
    close(descriptor);
    return content;
}

static int
has_room(Found *found)
{
    if (found->count < found->capacity) {
        return 1;
    }
    int capacity = found->capacity ? 2 * found->capacity : 256;
    Module *modules = NULL;
    if (capacity <= MOST_MODULES) {
        modules = realloc(found->modules, (size_t)capacity * sizeof(Module));
    }
    if (modules == NULL) {
        return 0;
    }
    found->modules = modules;
    found->capacity = capacity;
    return 1;
}

static void
read_module(Found *found, const char *directory, const char *name, const char *tag)
{
    char source[PATH_MAX], cached[PATH_MAX];
    struct stat status;
    int stem = (int)(strlen(name) - strlen(SUFFIX));
    int length = snprintf(
        cached, sizeof cached, "%s/" CACHE_DIRECTORY "/%.*s.%s.pyc", directory, stem, name, tag);
    if (length >= (int)sizeof cached || !has_room(found)) {
        return;
    }
    snprintf(source, sizeof source, "%s/%s", directory, name);
    Module *module = &found->modules[found->count];
    if (stat(source, &status) != 0
        || (module->code = read_file(cached, MOST_BYTES - found->bytes, &module->code_size)) == NULL) {
        return;
    }
    module->path = strdup(source);
    if (module->path == NULL) {
        free(module->code);
        return;
    }
    module->modified = (int64_t)status.st_mtime;
    module->size = (int64_t)status.st_size;
    found->bytes += module->code_size;
    found->count++;
}

static void
read_directory(
    Found *found, const char *directory, const char *tag, const char *skipped, int depth)
{
    char below[PATH_MAX];
    struct dirent *entry;
    DIR *listing = depth < DEEPEST ? opendir(directory) : NULL;
    if (listing == NULL) {
        return;
    }
    while ((entry = readdir(listing)) != NULL) {
        const char *name = entry->d_name;
        size_t length = strlen(name);
        if (length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0) {
            read_module(found, directory, name, tag);
        } else if (entry->d_type == DT_DIR && strchr("._", name[0]) == NULL
                   && strcmp(name, skipped) != 0
                   && snprintf(below, sizeof below, "%s/%s", directory, name) < (int)sizeof below) {
            read_directory(found, below, tag, skipped, depth + 1);
        }
    }
    closedir(listing);
}

/* Takes over what was found. */
static PyObject *
as_list(Found *found)
{
    PyObject *list = PyList_New(0);
    for (int i = 0; i < found->count; i++) {
        Module *module = &found->modules[i];
        PyObject *item = list == NULL ? NULL : Py_BuildValue(
            "(NLLy#)", PyUnicode_DecodeFSDefault(module->path), (long long)module->modified,
            (long long)module->size, module->code, module->code_size);
        if (list != NULL && (item == NULL || PyList_Append(list, item) != 0)) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
        free(module->path);
        free(module->code);
    }
    free(found->modules);
    return list;
}

static PyObject *
read_modules(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *directory;
    const char *tag, *skipped;
    Found found = {NULL, 0, 0, 0};
    if (!PyArg_ParseTuple(arguments, "O&ss", PyUnicode_FSConverter, &directory, &tag, &skipped)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    read_directory(&found, PyBytes_AS_STRING(directory), tag, skipped, 0);
    Py_END_ALLOW_THREADS
    Py_DECREF(directory);
    return as_list(&found);
}

static PyMethodDef methods[] = {
    {"read_modules", read_modules, METH_VARARGS,
     "read_modules(directory, tag, skipped)\n--\n\nReturn path, time and size of each source below "
     "a directory, and its code as compiled with this tag; but not of directories of that name."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "otel_flight.running._read_ahead",
    .m_doc = "Reads the compiled modules of a package.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__read_ahead(void)
{
    return PyModuleDef_Init(&definition);
}
