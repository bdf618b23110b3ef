/* The Python face of the scan; its contract is ../_native.pyi. */
#include <Python.h>

#include "scan.h"

#define DIFFICULTY_RANGE "the difficulty is from 0 to 64"

static PyObject *kernels(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *names = PyList_New(0);
    if (names == NULL)
        return NULL;
    for (const struct kernel *each = KERNELS; each->name != NULL; each++) {
        if (!each->runs_here())
            continue;
        PyObject *name = PyUnicode_FromString(each->name);
        if (name == NULL || PyList_Append(names, name) < 0) {
            Py_XDECREF(name);
            Py_DECREF(names);
            return NULL;
        }
        Py_DECREF(name);
    }
    PyObject *result = PyList_AsTuple(names);
    Py_DECREF(names);
    return result;
}

/* A number out of what C can hold is as wrong as any other out of its range. */
static int fail_conversion(const char *range)
{
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear();
        PyErr_SetString(PyExc_ValueError, range);
    }
    return 0;
}

/* Converters for "O&". */
static int to_nonce(PyObject *object, void *target)
{
    unsigned long long value = PyLong_AsUnsignedLongLong(object);
    if (value == (unsigned long long)-1 && PyErr_Occurred())
        return fail_conversion("first and count are from 0 to 2**64 - 1");
    *(uint64_t *)target = value;
    return 1;
}

static int to_difficulty(PyObject *object, void *target)
{
    long value = PyLong_AsLong(object);
    if (value == -1 && PyErr_Occurred())
        return fail_conversion(DIFFICULTY_RANGE);
    *(long *)target = value;
    return 1;
}

struct arguments {
    const char *kernel_name;
    Py_buffer prefix, suffix, cancel;
    long difficulty;
    uint64_t first, count;
};

/* What is wrong with the arguments, or NULL; sets the kernel. */
static const char *fault_of(const struct arguments *given, const struct kernel **kernel)
{
    *kernel = kernel_named(given->kernel_name);
    if (*kernel == NULL)
        return "this processor has no such kernel";
    if (given->difficulty < 0 || given->difficulty > 64)
        return DIFFICULTY_RANGE;
    if (given->count > 0 && given->first > UINT64_MAX - (given->count - 1))
        return "first + count is at most 2**64";
    if (given->cancel.len < 1)
        return "the cancel flag is one byte";
    return NULL;
}

static PyObject *run(const struct arguments *given, const struct kernel *kernel)
{
    struct template template = {
        given->prefix.buf, (size_t)given->prefix.len, given->suffix.buf, (size_t)given->suffix.len,
        (int)given->difficulty,
    };
    struct result result;
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = scan(kernel, &template, given->first, given->count, given->cancel.buf, &result);
    Py_END_ALLOW_THREADS
    if (failed)
        return PyErr_NoMemory();
    if (!result.solved)
        return Py_BuildValue("OK", Py_None, (unsigned long long)result.tried);
    return Py_BuildValue("KK", (unsigned long long)result.nonce, (unsigned long long)result.tried);
}

static PyObject *scan_nonces(PyObject *module, PyObject *arguments)
{
    (void)module;
    struct arguments given = {0};
    const struct kernel *kernel;
    PyObject *answer = NULL;
    if (!PyArg_ParseTuple(arguments, "sy*y*O&O&O&w*:scan", &given.kernel_name, &given.prefix, &given.suffix,
                          to_difficulty, &given.difficulty, to_nonce, &given.first, to_nonce,
                          &given.count, &given.cancel))
        return NULL;
    const char *fault = fault_of(&given, &kernel);
    if (fault == NULL)
        answer = run(&given, kernel);
    else
        PyErr_SetString(PyExc_ValueError, fault);
    PyBuffer_Release(&given.prefix);
    PyBuffer_Release(&given.suffix);
    PyBuffer_Release(&given.cancel);
    return answer;
}

static PyMethodDef methods[] = {
    {"kernels", kernels, METH_NOARGS, "Names of the kernels that this processor runs."},
    {"scan", scan_nonces, METH_VARARGS, "Try a range of nonces until one solves the template."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    sweep_digits_fill();
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* after execute() there is nothing but constants */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The nonce scan in C.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
