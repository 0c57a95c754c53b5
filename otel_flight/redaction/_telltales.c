/* What tells of a secret, looked for in C; see `_telltales.h` and telltales.py. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_telltales.h"

static int
add_word(Telltales *self, PyObject *word, Py_ssize_t index)
{
    if (!PyBytes_CheckExact(word) || PyBytes_GET_SIZE(word) < GRAM) {
        PyErr_SetString(PyExc_ValueError, "a word is at least three bytes");
        return -1;
    }
    Word *added = &self->table[index];
    added->letters = (const unsigned char *)PyBytes_AS_STRING(word);
    added->length = PyBytes_GET_SIZE(word);
    uint16_t *first = &self->first[gram_at(added->letters)];
    added->next = *first;
    *first = (uint16_t)(index + 1);
    return 0;
}

static int
Telltales_init(Telltales *self, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *words, *names, *texts;
    if (self->words != NULL
        || !PyArg_ParseTuple(arguments, "O!O!O!", &PyTuple_Type, &words, &PyDict_Type, &names,
                             &PyDict_Type, &texts)) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(words);
    if (count > UINT16_MAX - 1) {
        PyErr_SetString(PyExc_ValueError, "too many words");
        return -1;
    }
    self->table = PyMem_Calloc((size_t)count + 1, sizeof(Word));
    if (self->table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        if (add_word(self, PyTuple_GET_ITEM(words, index), index) != 0) {
            return -1;
        }
    }
    self->words = Py_NewRef(words);
    self->decided_names = Py_NewRef(names);
    self->known_texts = Py_NewRef(texts);
    return 0;
}

static PyObject *
Telltales_found(Telltales *self, PyObject *data)
{
    if (!PyBytes_CheckExact(data)) {
        PyErr_SetString(PyExc_TypeError, "found() takes bytes");
        return NULL;
    }
    return PyBool_FromLong(
        tell(self, (const unsigned char *)PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)));
}

static void
Telltales_dealloc(Telltales *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(self->words);
    Py_CLEAR(self->decided_names);
    Py_CLEAR(self->known_texts);
    for (int index = 0; index < CACHED; index++) {
        Py_CLEAR(self->harmless_names[index]);
        Py_CLEAR(self->harmless_texts[index]);
    }
    PyMem_Free(self->table);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef Telltales_methods[] = {
    {"found", (PyCFunction)Telltales_found, METH_O,
     "found(data)\n--\n\nReturn whether there may be a secret in some bytes."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Telltales_slots[] = {
    {Py_tp_doc, "Looks for words, each of at least three bytes in lower case, and for cards."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, Telltales_init},
    {Py_tp_dealloc, Telltales_dealloc},
    {Py_tp_methods, Telltales_methods},
    {0, NULL},
};

static PyType_Spec Telltales_spec = {
    .name = TELLTALES_NAME,
    .basicsize = sizeof(Telltales),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Telltales_slots,
};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&Telltales_spec);
    if (type == NULL) {
        return -1;
    }
    int result = PyModule_AddObjectRef(module, "Telltales", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "otel_flight.redaction._telltales",
    .m_doc = "What tells of a secret, in C; redaction/telltales.py says when it is used.",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__telltales(void)
{
    return PyModuleDef_Init(&module_definition);
}
