/* The attributes of a light span: plain ones are kept in a dict as they are; what else there is to do
 * about them is done by the Python code. */

#ifndef OTEL_FLIGHT_ATTRIBUTES_H
#define OTEL_FLIGHT_ATTRIBUTES_H

#include <Python.h>

#include "function.h"
#include "span.h"

/* Values of exactly these types are kept by the SDK as they are given. */
static inline int
is_plain_value(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBool_Type
        || type == &PyFloat_Type;
}

static inline int
is_plain_key(PyObject *key)
{
    return PyUnicode_CheckExact(key) && PyUnicode_GET_LENGTH(key) > 0;
}

static int
are_plain(PyObject *attributes)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(attributes, &position, &key, &value)) {
        if (!is_plain_key(key) || !is_plain_value(value)) {
            return 0;
        }
    }
    return 1;
}

static inline Py_ssize_t
count_of(PyObject *own)
{
    return own == NULL ? 0 : PyDict_GET_SIZE(own);
}

/* Whether a span takes so many attributes more as they are. */
static inline int
has_room_for(LightSpan *self, Py_ssize_t more)
{
    PyObject *most = PART(self->shape, in_shape.most);
    if (self->is_odd || has_ended(self) || most == NULL || !PyLong_CheckExact(most)) {
        return 0;
    }
    int overflow = 0;
    long long limit = PyLong_AsLongLongAndOverflow(most, &overflow);
    return overflow > 0 || count_of(self->own) + more <= limit;
}

/* Lets the attributes be a dict that something can be put into; the same one for whoever asks. */
static int
have_own(LightSpan *self)
{
    if (self->own == NULL) {
        PyObject *made = PyDict_New();
        if (made == NULL) {
            return -1;
        }
        if (self->own == NULL) {
            self->own = made;
        } else {
            Py_DECREF(made);
        }
    }
    return 0;
}

/* A key that was there already comes last, as in the SDK's container. What is let go is plain: that
 * runs nothing. */
static int
sets_plainly(LightSpan *self, PyObject *key, PyObject *value)
{
    if (!is_plain_value(value) || !is_plain_key(key) || !has_room_for(self, 0)
        || have_own(self) != 0) {
        return 0;
    }
    int is_new = PyDict_Contains(self->own, key) == 0;
    return has_room_for(self, is_new) && (is_new || PyDict_DelItem(self->own, key) == 0)
        && PyDict_SetItem(self->own, key, value) == 0;
}

static PyObject *
by_python(PyObject *name, LightSpan *self, PyObject *first, PyObject *second)
{
    PyErr_Clear();
    PyObject *function = PyObject_GetAttr(known.python_span, name);
    if (function == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(function, (PyObject *)self, first, second, NULL);
    Py_DECREF(function);
    return result;
}

static PyObject *
Span_set_attribute(LightSpan *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject *given[2] = {NULL, NULL};
    if (sort_arguments("set_attribute", pair_names, given, arguments, count, keywords) != 0) {
        return NULL;
    }
    if (given[1] == NULL) {
        PyErr_SetString(PyExc_TypeError, "set_attribute() misses its argument 'value'");
        return NULL;
    }
    if (sets_plainly(self, given[0], given[1])) {
        Py_RETURN_NONE;
    }
    return by_python(names.set_attribute, self, given[0], given[1]);
}

static int
are_set_plainly(LightSpan *self, PyObject *attributes)
{
    if (!PyDict_CheckExact(attributes) || !are_plain(attributes) || !has_room_for(self, 0)
        || have_own(self) != 0 || !has_room_for(self, PyDict_GET_SIZE(attributes))) {
        return 0;
    }
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_GET_SIZE(self->own) > 0 && PyDict_Next(attributes, &position, &key, &value)) {
        if (PyDict_Contains(self->own, key) != 0 && PyDict_DelItem(self->own, key) != 0) {
            return 0;
        }
    }
    return PyDict_Update(self->own, attributes) == 0;
}

static PyObject *
Span_set_attributes(LightSpan *self, PyObject *const *arguments, Py_ssize_t count,
                    PyObject *keywords)
{
    PyObject *attributes = NULL;
    if (sort_arguments("set_attributes", attributes_names, &attributes, arguments, count, keywords)
        != 0) {
        return NULL;
    }
    if (are_set_plainly(self, attributes)) {
        Py_RETURN_NONE;
    }
    return by_python(names.set_attributes, self, attributes, NULL);
}

#endif
